"""Check 8: what may be claimed from so many patients, before anything is measured.

Knows counts alone. Slices are not independent evidence: everything here counts patients, or blocks of slices
in their place. Few of them are no reason not to train, so nothing here fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from covidct.audit.dataset import Dataset
from covidct.audit.verdict import Check, Figure, Finding, Level, Table, advise
from covidct.data.manifest import SPLITS
from covidct.stats.estimate import exact_interval
from covidct.types import Estimate

# Vergouwe et al. 2005, Collins et al. 2016: at least 100 events and 100 non-events to validate a model.
ENOUGH, TOO_FEW = 100, 10
PLANNED = 0.90
NOTHING = "There is nothing to measure on."
ADVICE = (
    "Collect more patients of the smaller class for the test split, or give every figure with its interval "
    "and "
    "claim no more than its lower end."
)


@dataclass(frozen=True)
class _Part:
    """The patients of one split (or of all slices, where none has one), by class."""

    name: str
    slices: int
    positives: int
    others: int


def check_sample_size(data: Dataset) -> Check:
    """Patients by class and split, and the intervals that figures measured there would have."""
    parts = _parts(data)
    tested = _tested(parts)
    findings = tuple(_judge(part, data.unit) for part in tested) or (Finding(Level.WARN, NOTHING),)
    return Check(
        name="sample-size",
        title="Sample size",
        headline=" ".join(_claim(part, data.unit) for part in tested) or NOTHING,
        advice=advise(findings, ADVICE),
        findings=findings,
        figures=tuple(figure for part in tested for figure in _figures(part)),
        tables=(_table(parts),),
    )


def _parts(data: Dataset) -> list[_Part]:
    splits = [name for name in SPLITS if any(sample.row.split == name for sample in data.samples)]
    pairs = list(zip(data.samples, data.groups, strict=True))
    if not splits:
        return [_part("all slices", [(sample.label, group) for sample, group in pairs])] if pairs else []
    return [
        _part(name, [(sample.label, group) for sample, group in pairs if sample.row.split == name])
        for name in splits
    ]


def _part(name: str, members: Sequence[tuple[int, str]]) -> _Part:
    by_label = [{group for label, group in members if label == wanted} for wanted in (1, 0)]
    return _Part(name, len(members), len(by_label[0]), len(by_label[1]))


def _tested(parts: Sequence[_Part]) -> list[_Part]:
    """The splits that figures are claimed on: test and external; else tune; else all there is."""
    for names in (("test", "external"), ("tune",)):
        if chosen := [part for part in parts if part.name in names]:
            return chosen
    return list(parts[:1])


def _judge(part: _Part, unit: str) -> Finding:
    fewest = min(part.positives, part.others)
    text = f"{part.name}: {part.positives} {unit} with COVID-19 and {part.others} without."
    if fewest < TOO_FEW and part.name != "tune":
        return Finding(
            Level.WARN,
            f"{text} Fewer than {TOO_FEW} of a class are too few to measure on: a model can be trained, but "
            "how good it is will stay unknown.",
        )
    if fewest < ENOUGH:
        return Finding(Level.WARN, f"{text} At least {ENOUGH} of each are advised to validate a model.")
    return Finding(Level.PASS, text)


def _claim(part: _Part, unit: str) -> str:
    """What a flawless result would prove."""
    n = part.positives
    low = exact_interval(n, n)[0]
    # Rounded up, it would claim what nothing can prove.
    least = f"{low:.0%}" if low < 0.99 else f"{math.floor(1000 * low) / 10:.1f}%"
    return f"On {part.name}, {n} of {n} {unit} detected would only show a sensitivity of {least} or more."


def _figures(part: _Part) -> tuple[Figure, ...]:
    """Figures as they would come out if the model were as good as `PLANNED`."""
    return (
        Figure(f"{part.name}, if sensitivity is {PLANNED}", "expected", _planned_rate(part.positives)),
        Figure(f"{part.name}, if specificity is {PLANNED}", "expected", _planned_rate(part.others)),
        Figure(
            f"{part.name}, if AUC is {PLANNED}", "expected", planned_auc(PLANNED, part.positives, part.others)
        ),
    )


def _planned_rate(n: int) -> Estimate:
    if not n:
        return Estimate(None, None, None, 0, "undefined: no patients")
    return Estimate(PLANNED, *exact_interval(round(PLANNED * n), n), n)


def planned_auc(auc: float, positives: int, others: int) -> Estimate:
    """The 95 % interval to expect of an AUC in (0, 1) from so many patients. Source: Hanley & McNeil 1982."""
    n = positives + others
    if not positives or not others:
        return Estimate(None, None, None, n, "undefined: it needs both classes")
    both_above, both_below = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc) + (positives - 1) * (both_above - auc**2) + (others - 1) * (both_below - auc**2)
    )
    reach = 1.96 * math.sqrt(variance / (positives * others))
    return Estimate(auc, max(auc - reach, 0.0), min(auc + reach, 1.0), n)


def _table(parts: Sequence[_Part]) -> Table:
    rows = []
    for part in parts:
        flawless = [f"≥ {exact_interval(n, n)[0]:.2f}" if n else "–" for n in (part.positives, part.others)]
        rows.append((part.name, f"{part.slices}", f"{part.positives}", f"{part.others}", *flawless))
    head = (
        "Split",
        "Slices",
        "Patients with COVID-19",
        "Without",
        "Flawless sensitivity",
        "Flawless specificity",
    )
    return Table("What n allows", head, tuple(rows))
