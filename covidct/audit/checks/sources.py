"""Check 6: whether the source, the age or the sex gives the label away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from covidct.audit.dataset import Dataset
from covidct.audit.probes.forest import FAIL_AUC, WARN_AUC
from covidct.audit.sample import Sample
from covidct.audit.verdict import Bars, Check, Figure, Finding, Level, Table, advise, sum_up
from covidct.stats.means import estimate_figure
from covidct.stats.metrics import estimate_auc
from covidct.types import Estimate

# Cohen 1988: for two classes 0.3 is a medium association, 0.5 a large one.
WARN_V, FAIL_V = 0.3, 0.5
# With fewer patients than this, nothing is said of age and sex.
FEW = 10
ADVICE = (
    "Add slices of the missing class from the same source, or leave sources with one class out; test on a "
    "source that was left out of training (`covidct evaluate --split external`)."
)
EXTERNAL = "Test on slices of another hospital (`covidct evaluate --split external`)."
COHORT = "Draw both classes from patients of the same ages and sexes, or report the figures by age and sex."
# PS3.5, 6.2: an Age String is three digits and a unit.
_AGE = re.compile(r"^0*([0-9]+(?:\.[0-9]+)?)\s*([DWMY]?)$", re.IGNORECASE)
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}


@dataclass(frozen=True)
class _Patient:
    """One patient, or what stands in for one."""

    label: int
    source: str
    age: float | None
    sex: str


def check_sources(data: Dataset) -> Check:
    """Sources by label with Cramér's V, sources with one class; age and sex where they are known."""
    patients = _patients(data.samples, data.groups)
    association = _cramer([one.label for one in patients], [one.source for one in patients])
    age, sex = _age_auc(patients), _sex_association(patients)
    findings = (
        *_judge_sources(data.samples, association),
        *_judge_age(age),
        *_judge(sex, "Sex and label are associated", (WARN_V, FAIL_V)),
    )
    figures = [Figure("Source and label, over patients", "Cramér's V", association)]
    figures += [Figure("Age", "AUC", age)] if age else []
    figures += [Figure("Sex and label", "Cramér's V", sex)] if sex else []
    return Check(
        name="sources",
        title="Source and label",
        headline=sum_up(findings, _headline(data.samples, association)),
        advice=advise(findings, _advice(findings)),
        findings=findings,
        figures=tuple(figures),
        tables=(_table(data.samples, data.groups),),
        bars=(_bars(data.samples),),
    )


def _advice(findings: Sequence[Finding]) -> str:
    if any("one source" in finding.text for finding in findings):
        return EXTERNAL
    return ADVICE if any("Source" in finding.text for finding in findings) else COHORT


def _headline(samples: Sequence[Sample], association: Estimate) -> str:
    names = {sample.row.source for sample in samples}
    if len(names) < 2:
        return f"There is one source, {next(iter(names), 'none')}."
    return f"{len(names)} sources; source and label are associated, Cramér's V {association.to_text()}."


def _judge_sources(samples: Sequence[Sample], association: Estimate) -> Iterator[Finding]:
    counts = _counts(samples)
    if len(counts) == 1:
        yield Finding(
            Level.WARN,
            f"All slices are of one source, {next(iter(counts))}: nothing here can show whether a model "
            "generalises.",
        )
    alone = [name for name, (positives, others) in counts.items() if not positives or not others]
    if alone and len(counts) > 1:
        yield Finding(
            Level.WARN,
            f"Sources with one class only: {', '.join(alone)}; whatever gives away the source gives away "
            "the class.",
        )
    yield from _judge(association, "Source and label are associated", (WARN_V, FAIL_V))


def _judge(estimate: Estimate | None, text: str, limits: tuple[float, float]) -> Iterator[Finding]:
    if estimate is None or estimate.value is None or estimate.value < limits[0]:
        return
    level = Level.FAIL if estimate.value >= limits[1] else Level.WARN
    yield Finding(level, f"{text}: Cramér's V {estimate.to_text()}.")


def _judge_age(age: Estimate | None) -> Iterator[Finding]:
    if age is None or age.value is None:
        return
    # Without an interval all of one class are older than all of the other, which ten patients seldom are.
    if age.low is not None and age.high is not None and age.low <= 0.5 <= age.high:
        return
    strength = max(age.value, 1 - age.value)
    if strength > WARN_AUC:
        level = Level.FAIL if strength > FAIL_AUC else Level.WARN
        yield Finding(level, f"Age alone separates the classes: AUC {age.to_text()}, over {age.n} patients.")


def _patients(samples: Sequence[Sample], groups: Sequence[str]) -> list[_Patient]:
    """One for each group and label, so that a patient with both kinds of slices counts for both."""
    first: dict[tuple[str, int], Sample] = {}
    for sample, group in zip(samples, groups, strict=True):
        first.setdefault((group, sample.label), sample)
    return [
        _Patient(sample.label, sample.row.source, _age(sample), _sex(sample)) for sample in first.values()
    ]


def _age(sample: Sample) -> float | None:
    found = _AGE.match((sample.row.age or sample.facts.tags.get("PatientAge", "")).strip())
    return float(found[1]) * _YEARS[found[2].upper()] if found else None


def _sex(sample: Sample) -> str:
    return (sample.row.sex or sample.facts.tags.get("PatientSex", "")).strip().upper()[:1]


def _cramer(labels: Sequence[int], values: Sequence[str]) -> Estimate:
    """Cramér's V of a value with the label, bias corrected (Bergsma 2013), in [0, 1]."""
    y = np.asarray(labels, np.intp)
    codes = np.unique(np.asarray(values), return_inverse=True)[1]
    return estimate_figure(y.size, lambda drawn: _corrected_v(y[drawn], codes[drawn]))


def _corrected_v(y: NDArray[np.intp], codes: NDArray[np.intp]) -> float:
    table = np.zeros((int(codes.max()) + 1 if codes.size else 0, 2))
    np.add.at(table, (codes, y), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (rows, columns) = table.sum(), table.shape
    if rows < 2 or columns < 2 or n < 3:
        return float("nan")
    squared = chi2_contingency(table, correction=False).statistic / n
    corrected = max(0.0, squared - (rows - 1) * (columns - 1) / (n - 1))
    sides = (rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1))
    return float(np.sqrt(corrected / (min(sides) - 1))) if min(sides) > 1 else float("nan")


def _age_auc(patients: Sequence[_Patient]) -> Estimate | None:
    """How well age alone tells COVID-19 from others: AUC, 1 where all with COVID-19 are older."""
    known = [(one.label, one.age) for one in patients if one.age is not None]
    positives = sum(label for label, _ in known)
    if len(known) < FEW or min(positives, len(known) - positives) < 2:
        return None
    labels, ages = zip(*known, strict=True)
    return estimate_auc(labels, ages, range(len(known)))


def _sex_association(patients: Sequence[_Patient]) -> Estimate | None:
    known = [one for one in patients if one.sex in ("M", "F")]
    if len(known) < FEW or len({one.sex for one in known}) < 2 or len({one.label for one in known}) < 2:
        return None
    return _cramer([one.label for one in known], [one.sex for one in known])


def _counts(samples: Sequence[Sample]) -> dict[str, tuple[int, int]]:
    """Source -> (COVID-19, others), by name."""
    tally = Counter((sample.row.source, sample.label) for sample in samples)
    return {name: (tally[name, 1], tally[name, 0]) for name in sorted({source for source, _ in tally})}


def _table(samples: Sequence[Sample], groups: Sequence[str]) -> Table:
    rows = []
    for name, (positives, others) in _counts(samples).items():
        inside = {group for sample, group in zip(samples, groups, strict=True) if sample.row.source == name}
        share = f"{100 * positives / (positives + others):.0f} %"
        rows.append((name, f"{positives}", f"{others}", share, f"{len(inside)}"))
    head = ("Source", "COVID-19", "Other", "Share COVID-19", "Patients or blocks")
    return Table("Sources by label", head, tuple(rows))


def _bars(samples: Sequence[Sample]) -> Bars:
    counts = _counts(samples)
    return Bars("Slices by source and label", tuple(counts), tuple(counts.values()))
