"""Check 5: what a network could learn from the pixels without looking at the lungs, or at a glance.

Border, marks and the slice with its lungs blacked out contain hardly any legitimate signal; a thumbnail and a
histogram may contain some. The best of these is the floor that an honest model has to beat. The side of the
heart shows whether one class was mirrored. Knows the feature vectors measured on reading, not the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from covidct.audit.probes.features import (
    BLACKED_OUT,
    BORDER,
    HISTOGRAM,
    MARKS,
    OUTSIDE,
    SIDE_OF_HEART,
    THUMBNAIL,
)
from covidct.audit.probes.forest import Probe, judge, measure_part, pick_sources, run_probe
from covidct.audit.probes.sides import SURE
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Figure, Finding, Level, Table, advise
from covidct.types import Estimate

SHORTCUTS = {
    BORDER: "The border, 4 pixels wide",
    BLACKED_OUT: "The slice with its lungs blacked out",
    MARKS: "Burned-in marks and colour outside the lungs",
    OUTSIDE: "Marks outside the body, by place",
}
GLANCES = {THUMBNAIL: "An 8 x 8 thumbnail", HISTOGRAM: "The histogram of grey levels"}
ADVICE = (
    "Crop to the body or blank what is outside the lungs, remove marks, turn mirrored slices back; report a "
    "model's AUC beside the floor, and test on a source that was left out of training. (Tight crops, and "
    "what disease does outside the lungs, can leave a little honest signal in these probes.)"
)


def check_shortcuts(
    samples: Sequence[Sample], groups: Sequence[str], *, model_auc: Estimate | None = None
) -> Check:
    """Probes of pixels against the label; `model_auc` is a model's on the same slices, to compare with.

    `groups` (n,) are the samples' patients. Border, marks, blacked-out lungs and the side of the heart set
    the level, over all sources together; by source all but the last stand in a table.
    """
    labels = [sample.label for sample in samples]
    probes = {
        name: run_probe(_stack(samples, name), labels, groups, name=name) for name in (*SHORTCUTS, *GLANCES)
    }
    best = max(probes, key=lambda name: probes[name].auc.value or 0.0)
    findings = (
        *(judge(probes[name], text) for name, text in SHORTCUTS.items()),
        *_judge_sides(samples, groups),
        *_compare(model_auc, best, probes[best]),
    )
    return Check(
        name="shortcuts",
        title="Shortcut probes on pixels",
        headline=_headline(best, probes[best]) + _model(model_auc),
        advice=advise(findings, ADVICE),
        findings=findings,
        figures=(
            *(Figure(name, "AUC", probe.auc) for name, probe in probes.items()),
            *([Figure("the model", "AUC", model_auc)] if model_auc else []),
        ),
        tables=(_table(probes, model_auc), *_source_tables(probes, samples, groups)),
        curves=tuple(probe.curve for probe in probes.values() if probe.curve),
    )


def _judge_sides(samples: Sequence[Sample], groups: Sequence[str]) -> Iterator[Finding]:
    """Whether the heart is on another side in one class, by the slices whose side can be told."""
    told = [
        (sample, group)
        for sample, group in zip(samples, groups, strict=True)
        if abs(sample.features.vectors[SIDE_OF_HEART][0]) >= SURE
    ]
    labels = [sample.label for sample, _ in told]
    if len(set(labels)) == 2:
        sides = np.sign(_stack([sample for sample, _ in told], SIDE_OF_HEART))
        probe = run_probe(sides, labels, [group for _, group in told], name=SIDE_OF_HEART)
        yield judge(probe, f"The side of the heart, of {len(told)} slices that show one")


def _stack(samples: Sequence[Sample], name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if not samples:
        return np.zeros((0, 1), np.float32)
    return np.stack([sample.features.vectors[name] for sample in samples])


def _headline(best: str, probe: Probe) -> str:
    if probe.auc.value is None:
        return f"Not measured: {probe.auc.reason}."
    note = f", {probe.note}" if probe.note else ""
    floor = f"The shortcut floor is {probe.auc.value:.2f} ({best}{note})"
    if probe.auc.value > 0.995:
        return f"{floor}: on these slices no model can show that it learned anything else."
    return f"{floor}; a model must beat it to show that it learned anything about the lungs."


def _model(auc: Estimate | None) -> str:
    return f" The model's AUC is {auc.to_text()}, on {auc.n} slices." if auc else ""


def _compare(model: Estimate | None, best: str, probe: Probe) -> Iterator[Finding]:
    """Whether the model lies above the floor, with its whole interval."""
    if model is None or model.value is None or probe.auc.value is None:
        return
    bottom = model.value if model.low is None else model.low
    text = (
        f"the model's AUC {model.to_text()} on {model.n} slices that it names as unseen, "
        f"the floor's {probe.auc.to_text()} ({best})"
    )
    if bottom > probe.auc.value:
        yield Finding(Level.PASS, f"The model beats the shortcut floor: {text}.")
    else:
        yield Finding(Level.WARN, f"The model is not shown to beat the shortcut floor: {text}.")


def _table(probes: Mapping[str, Probe], model: Estimate | None) -> Table:
    head = ("Probe", "What it sees", "AUC")
    rows = [(name, (SHORTCUTS | GLANCES)[name], probe.auc.to_text()) for name, probe in probes.items()]
    if model is None:
        return Table("Probes", head, tuple(rows))
    return Table("Probes", (*head, "Model's AUC"), tuple((*row, model.to_text()) for row in rows))


def _source_tables(
    probes: Mapping[str, Probe], samples: Sequence[Sample], groups: Sequence[str]
) -> Iterator[Table]:
    """The probes' AUC within each source that has both classes, where there are several sources."""
    labels = [sample.label for sample in samples]
    parts = pick_sources([sample.row.source for sample in samples], labels)
    if parts:
        rows = [
            (
                name,
                *(
                    measure_part(probe.probabilities, labels, groups, part).to_text()
                    for probe in probes.values()
                ),
            )
            for name, part in parts.items()
        ]
        yield Table("Within each source", ("Source", *probes), tuple(rows))
