"""An examination as Markdown, for the model card. Knows nothing of how things were examined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from covidct.evaluation.examination.blackout import Blackout
from covidct.evaluation.examination.evidence_maps import Explanation
from covidct.evaluation.examination.record import INTERVALS, Examination, to_targets
from covidct.evaluation.examination.stability import Stability
from covidct.evaluation.markdown import to_markdown_table
from covidct.types import Estimate

EVIDENCE = {
    "hit": "peak in a lesion",
    "near": "peak in a lesion, or within 3 % of one",
    "inside": "share of the evidence in the lungs",
    "iou": "overlap (IoU) with lesions",
    "correlation": "correlation with the map as it is",
}
SHUFFLED = (
    "Shuffled: the weights of the layers named, each in another order. A map that stayed as it is would show "
    "the slice and not what was learnt."
)
STEADY = (
    "The same slice shown otherwise",
    "Source",
    "Renders",
    "Median change",
    "Decisions flipped",
    "Into or out of doubt",
)
REACHED = {True: "yes", False: "no", None: "not measured"}


def to_markdown(examination: Examination) -> str:
    """What was examined, targets first."""
    return "\n\n".join(_parts(examination)) + "\n"


def _parts(examination: Examination) -> Iterator[str]:
    protocol = examination.protocol
    yield (
        f"{protocol.precision} graph of {protocol.bundle} {protocol.version}, split `{protocol.split}`. "
        f"{INTERVALS}."
    )
    if targets := to_targets(examination):
        rows = [[one.name, one.target, _number(one.value), REACHED[one.reached]] for one in targets]
        yield to_markdown_table(("Target", "Asked", "Measured", "Reached"), rows)
    for one in examination.explanations:
        yield _explanation(one)
    if any(one.shuffled for one in examination.explanations):
        yield SHUFFLED
    yield from _blackouts(examination.blackouts)
    yield from _stability([one for one in examination.stabilities if not one.render])


def _explanation(one: Explanation) -> str:
    """What evidence hits, by chance, and with weights of the last layers each in another order."""
    size = f"{one.source}: {one.with_lesions} slices with lesions, {one.groups} patients"
    head = (size, "Measured", "By chance", *(f"Shuffled: {depth}" for depth in one.shuffled))
    rows = []
    for name, title in EVIDENCE.items():
        figures = [one.figures, one.chances, *one.shuffled.values()]
        if any(name in table for table in figures):
            n = one.figures[name].n if name in one.figures else one.with_lesions
            fewer = f", {n} slices" if n < one.with_lesions else ""
            rows.append([f"{title}{fewer}", *(_text(table.get(name)) for table in figures)])
    return to_markdown_table(head, rows)


def _blackouts(blackouts: Sequence[Blackout]) -> Iterator[str]:
    if blackouts:
        views = list(dict.fromkeys(view for one in blackouts for view in one.aucs))
        rows = [[one.source, str(one.n), *(_text(one.aucs.get(view)) for view in views)] for one in blackouts]
        yield to_markdown_table(("AUC by what is left of the slice", "Slices", *views), rows)


def _stability(stabilities: Sequence[Stability]) -> Iterator[str]:
    if stabilities:
        rows = [
            [one.kind, one.source, str(one.n)]
            + [figure.to_text(3) for figure in (one.change, one.flips, one.doubts)]
            for one in stabilities
        ]
        yield to_markdown_table(STEADY, rows)


def _text(estimate: Estimate | None) -> str:
    return "–" if estimate is None else estimate.to_text()


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
