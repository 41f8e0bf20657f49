"""What a gate refuses, source by source, by pixels alone.

Knows rows and verdicts. DICOM headers are not asked: a file that lost them must be refused too.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from covidct.data.manifest import Row
from covidct.data.masks import Mask, find_mask, read_mask
from covidct.data.recipe import Gating
from covidct.errors import ManifestError
from covidct.evaluation.markdown import to_markdown_table
from covidct.images.files import ENDINGS, write_beside
from covidct.inference.classifier import Classifier
from covidct.stats.estimate import exact_share
from covidct.training.gate.examples import IN_VIEW, read_stranger
from covidct.training.networks.gate_head import CHEST
from covidct.types import Estimate, Slice, Source, Status

UNPLACED = "no split"
HEAD = ("What", "Source", "Split", "Refused", "Share (95 %)", "Why")


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

    @property
    def by_all(self) -> int:
        """How many were refused, for whatever reason."""
        return sum(self.by.values())


def measure_gate(classifier: Classifier, rows: Sequence[Row], gating: Gating) -> tuple[GateFigure, ...]:
    """One figure for each source and split; rows that mean nothing to the gate are skipped."""
    meaning = gating.meaning()
    verdicts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    wanted = [row for row in rows if row.path.suffix.lower() in ENDINGS]
    with click.progressbar(wanted, label="gate".ljust(24), file=sys.stderr) as bar:
        for row in bar:
            what = meaning.get(row.source, CHEST)
            item = Slice(read_stranger(row), Source(str(row.path)))
            if what == CHEST and not shows_lung(classifier, row, item):
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
    lines += [_line(figure) for figure in (*figures, *add_up(figures))]
    return "\n".join(lines)


def write_gate_figures(figures: Sequence[GateFigure], path: Path) -> None:
    """Write them as JSON, under another name, then renamed."""
    text = json.dumps([asdict(figure) for figure in figures], indent=2, allow_nan=False) + "\n"
    write_beside(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def read_gate_figures(path: Path) -> tuple[GateFigure, ...]:
    """What `write_gate_figures` wrote. Raises ManifestError for a file of another kind."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise TypeError("no list")
        return tuple(
            GateFigure(**{**entry, "refused": Estimate(**entry["refused"]), "by": dict(entry["by"])})
            for entry in entries
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"{path}: holds no figures of a gate ({error!r}); make them with covidct gate --json"
        ) from error


def to_markdown(figures: Sequence[GateFigure]) -> str:
    """What is refused of each source, and of all, as a table for the model card."""
    rows = [
        [
            figure.what,
            figure.source,
            figure.split,
            f"{figure.by_all} of {figure.refused.n}",
            figure.refused.to_text(3),
            ", ".join(f"{count} {reason}" for reason, count in figure.by.items()),
        ]
        for figure in (*figures, *add_up(figures))
    ]
    return to_markdown_table(HEAD, rows)


def add_up(figures: Sequence[GateFigure]) -> Iterator[GateFigure]:
    """All chests, and all that is none, where there are any."""
    for what, chosen in ((CHEST, True), ("all others", False)):
        parts = [figure for figure in figures if (figure.what == CHEST) is chosen]
        if n := sum(part.refused.n for part in parts):
            by: Counter[str] = sum((Counter(part.by) for part in parts), Counter())
            yield GateFigure("all", what, "", exact_share(by.total(), n), by)


def _to_figure(what: str, source: str, split: str, reasons: Sequence[str]) -> GateFigure:
    by = Counter(reason for reason in reasons if reason)
    return GateFigure(source, what, split, exact_share(by.total(), len(reasons)), dict(by.most_common()))


def _line(figure: GateFigure) -> str:
    share = f"{figure.by_all}/{figure.refused.n} {figure.refused.to_text(3)}"
    why = ", ".join(f"{count} {reason}" for reason, count in figure.by.items())
    return f"{figure.what:<12}{figure.source:<22}{figure.split:<22}{share:>24}   {why}".rstrip()
