"""What a gate refuses, source by source, by pixels alone.

Knows rows and verdicts. DICOM headers are not asked: a file that lost them must be refused too.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from covidct.files import ENDINGS, write_beside
from covidct.manifest import Row
from covidct.metrics import Estimate, exact_interval
from covidct.pipeline import Classifier
from covidct.train.exhibits import IN_VIEW, read_stranger
from covidct.train.masks import Mask, find_mask, read_mask
from covidct.train.recipe import Gating
from covidct.types import Slice, Source, Status

UNPLACED = "no split"


@dataclass(frozen=True)
class GateFigure:
    """What was refused of one source: `what` they are ("chest" or the reason to refuse them), and where from.

    `by` counts the reasons. Of chests only those with lung in view are counted.
    """

    source: str
    what: str
    split: str
    refused: Estimate
    by: Mapping[str, int]


def measure_gate(classifier: Classifier, rows: Sequence[Row], gating: Gating) -> tuple[GateFigure, ...]:
    """One figure for each source and split; rows that mean nothing to the gate are passed over."""
    meaning = gating.meaning()
    verdicts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    wanted = [row for row in rows if row.path.suffix.lower() in ENDINGS]
    with click.progressbar(wanted, label="gate".ljust(24), file=sys.stderr) as bar:
        for row in bar:
            what = meaning.get(row.source, "chest")
            item = Slice(read_stranger(row), Source(str(row.path)))
            if what == "chest" and not shows_lung(classifier, row, item):
                continue
            result = classifier.predict(item)
            refused = result.status is Status.REFUSED and result.reason is not None
            verdicts[what, row.source, row.split or UNPLACED].append(result.reason or "" if refused else "")
    return tuple(_to_figure(*key, reasons) for key, reasons in sorted(verdicts.items()))


def shows_lung(classifier: Classifier, row: Row, item: Slice) -> bool:
    """Whether lung is in view: by a reader's mask where there is one, else by the model's own finder."""
    if (path := find_mask(row, Mask.LUNG)) is not None:
        return float(np.mean(read_mask(path, side=96) > 127)) >= IN_VIEW
    lung = classifier.run(item).lung
    return lung is None or float(lung[0]) >= IN_VIEW


def to_gate_table(figures: Sequence[GateFigure]) -> str:
    """One line a source, and what is refused of all that should be."""
    lines = [f"{'what':<12}{'source':<22}{'split':<22}{'refused':>24}   why"]
    lines += [_line(figure) for figure in figures]
    for what, chosen in (("chest", True), ("all others", False)):
        parts = [figure for figure in figures if (figure.what == "chest") is chosen]
        n = sum(part.refused.n for part in parts)
        if n:
            by: Counter[str] = sum((Counter(part.by) for part in parts), Counter())
            lines.append(_line(GateFigure("all", what, "", to_share(by.total(), n), by)))
    return "\n".join(lines)


def write_gate_figures(figures: Sequence[GateFigure], path: Path) -> None:
    """Write them as JSON, beside and then renamed."""
    text = json.dumps([asdict(figure) for figure in figures], indent=2, allow_nan=False) + "\n"
    write_beside(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def to_share(refused: int, n: int) -> Estimate:
    """A share with its exact 95 % interval."""
    return Estimate(refused / n, *exact_interval(refused, n), n)


def _to_figure(what: str, source: str, split: str, reasons: Sequence[str]) -> GateFigure:
    by = Counter(reason for reason in reasons if reason)
    return GateFigure(source, what, split, to_share(by.total(), len(reasons)), dict(by.most_common()))


def _line(figure: GateFigure) -> str:
    share = f"{sum(figure.by.values())}/{figure.refused.n} {figure.refused.to_text(3)}"
    why = ", ".join(f"{count} {reason}" for reason, count in figure.by.items())
    return f"{figure.what:<12}{figure.source:<22}{figure.split:<22}{share:>24}   {why}".rstrip()
