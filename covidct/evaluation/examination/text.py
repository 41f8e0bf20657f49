"""An examination as text for the terminal.

Knows columns and widths. Knows nothing of how things were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from covidct.evaluation.examination.blackout import Blackout, Masking, both_classes
from covidct.evaluation.examination.evidence_maps import Explanation
from covidct.evaluation.examination.record import Examination, Target, to_targets
from covidct.evaluation.examination.stability import ALL, Stability, shortened
from covidct.types import Estimate

WIDTH = 100
NAME, CELL = 30, 16
# The rows on evidence maps: what it says, the figure, and the two guesses beside it.
EVIDENCE = (
    ("peak in a lesion", "hit", "hit", "depth_hit"),
    ("peak within 3 % of one", "near", "near", "depth_near"),
    ("share of evidence in lungs", "inside", "inside", ""),
    ("share within 3 % of lungs", "inside_near", "", ""),
    ("overlap (IoU) with lesions", "iou", "iou", ""),
    ("AUC of lesion in the lungs", "auc", "", ""),
)
TITLES = ("", "measured", "chance", "depth of lungs")
SHUFFLED = (("", ""), ("rank correlation", "correlation"), ("in a lesion", "hit"), ("AUC of lesion", "auc"))
MOVED = ("", "renders", "slices", "change, median", "flipped", "to/from doubt")
VIEW_WIDTHS = (24, 17, 17, 17, 16)
# Wide enough for three digits with their interval; the last column is shown without, to fit.
MOVED_WIDTHS = (24, 7, 6, 19, 19, 13)


def to_table(examination: Examination) -> str:
    """The examination for a terminal, at most 100 columns wide."""
    protocol = examination.protocol
    head = (
        f"{protocol.bundle} {protocol.version}, {protocol.precision} graph, split {protocol.split}; "
        f"threshold {protocol.threshold:.3f}, indeterminate from {protocol.band[0]:.3f} to "
        f"{protocol.band[1]:.3f}. 95 % intervals over patients in brackets; –: undefined."
    )
    parts = [wrap(head, WIDTH)]
    for one in examination.explanations:
        parts.append([_title(one), *_grid(_evidence(one))])
        if one.shuffled:
            parts.append(
                [f"{_short(one.source, NAME)}: the map with weights shuffled", *_grid(_shuffled(one))]
            )
    if blackouts := both_classes(examination.blackouts):
        parts.append(
            ["AUC by what of the slice is left (chance: 0.5)", *_grid(_blacked(blackouts), VIEW_WIDTHS)]
        )
    if examination.without_outline:
        parts.append([f"Left out, as no lungs are found in them: {examination.without_outline} slices."])
    if examination.stabilities:
        parts.append(
            ["The same slice shown in another way", *_grid(_without_last(_moved(examination)), MOVED_WIDTHS)]
        )
    if targets := to_targets(examination):
        lines = (f"{_verdict(target)}  {_target(target)}" for target in targets)
        parts.append([line for text in lines for line in wrap(text, WIDTH, subsequent_indent=" " * 5)])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _title(one: Explanation) -> str:
    patients = f"{one.groups} patient{'' if one.groups == 1 else 's'}"
    slices = f"{one.with_lesions} slices with lesions, of {one.slices} with masks"
    return f"{_short(one.source, NAME)}: evidence on {slices}, {patients}"


def _evidence(one: Explanation) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [TITLES]
    for title, name, chance, depth in EVIDENCE:
        guesses = [_text(one.chances.get(guess)) for guess in (chance, depth)]
        rows.append((title, _text(one.figures[name]), *guesses))
    return rows


def _shuffled(one: Explanation) -> list[Sequence[str]]:
    """By what was shuffled; the trained map first."""
    trained = ("trained", "1", *(_text(one.figures[name]) for _, name in SHUFFLED[2:]))
    rows = [
        (name, *(_text(figures[figure]) for _, figure in SHUFFLED[1:]))
        for name, figures in one.shuffled.items()
    ]
    return [[title for title, _ in SHUFFLED], trained, *rows]


def _blacked(blackouts: Sequence[Blackout]) -> list[Sequence[str]]:
    rows = [(_size(one), *(_text(one.aucs[view]) for view in Masking)) for one in blackouts]
    return [("COVID-19 of slices", *(str(view) for view in Masking)), *rows]


def _size(one: Blackout) -> str:
    count = f", {one.positives} of {one.n}"
    return f"{_short(one.source, VIEW_WIDTHS[0] - len(count))}{count}"


def _moved(examination: Examination) -> list[Sequence[str]]:
    return [MOVED, *((_render(one), *_figures(one)) for one in shortened(examination.stabilities))]


def _without_last(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The last column without its interval."""
    return [rows[0], *((*row[:-1], row[-1].split(" ")[0]) for row in rows[1:])]


def _render(one: Stability) -> str:
    return one.kind if one.kind != ALL else f"{_short(one.source, MOVED_WIDTHS[0] - 5)}, all"


def _figures(one: Stability) -> tuple[str, ...]:
    return (f"{one.n}", f"{one.slices}", one.change.to_text(3), one.flips.to_text(3), one.doubts.to_text(2))


def _target(target: Target) -> str:
    value = "nothing measured" if target.value is None else f"{target.value:.3f}"
    return f"{target.name}: {value} ({target.target})"


def _verdict(target: Target) -> str:
    return {True: "yes", False: "no ", None: "–  "}[target.reached]


def _text(estimate: Estimate | None) -> str:
    return "–" if estimate is None else estimate.to_text()


def _short(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 1] + "…"


def _grid(rows: Sequence[Sequence[str]], widths: Sequence[int] = (NAME, *[CELL + 1] * 5)) -> list[str]:
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
