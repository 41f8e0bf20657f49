"""Check 1: labels that are missing, undeclared or contradict each other, and files that cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from covidct.audit.dataset import Dataset
from covidct.audit.sample import Sample
from covidct.audit.similarity.matches import Likeness, Match
from covidct.audit.verdict import Check, Figure, Finding, Level, Pair, Table, advise, count, sum_up
from covidct.data.manifest import NO_LESION
from covidct.stats.means import estimate_share

SMALL_SHARE = 0.1
SHOWN = 12
ADVICE = "Repair or remove the files named here; of a picture under two labels, keep neither copy."


def check_labels(data: Dataset) -> Check:
    """One class only, missing or damaged files, undeclared labels, one picture under two labels, counts."""
    conflicts = [match for match in data.matches if _conflict(data.samples, match)]
    findings = (
        *_unreadable(data),
        *_undeclared(data),
        *_balance(data),
        *_torn_patients(data.samples),
        *_conflicts(data.samples, conflicts),
    )
    return Check(
        name="labels",
        title="Labels and files",
        headline=sum_up(findings, _headline(data)),
        advice=advise(findings, _advice(data)),
        findings=findings,
        figures=(_share(data),),
        tables=(_counts(data),),
        pairs=tuple(_pair(data.samples, match) for match in _worst(conflicts)[:SHOWN]),
    )


def _headline(data: Dataset) -> str:
    positives = sum(sample.label for sample in data.samples)
    n = len(data.samples)
    return (
        f"{n} slices can be read, {positives} of them COVID-19 ({', '.join(data.plan.positive)}) and "
        f"{n - positives} not ({', '.join(data.plan.negative)})."
    )


def _advice(data: Dataset) -> str:
    labels = {sample.label for sample in data.samples}
    return ADVICE if len(labels) == 2 else "Add readable slices of both classes."


def _unreadable(data: Dataset) -> Iterator[Finding]:
    missing = [one for one in data.unreadable if not one.row.path.exists()]
    damaged = [one for one in data.unreadable if one.row.path.exists()]
    if missing:
        yield Finding(
            Level.FAIL,
            f"{count(len(missing), 'file is', 'files are')} missing; paths are relative to the manifest.",
            tuple(one.name for one in missing),
        )
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in damaged:
        reasons[one.reason.removeprefix(f"{one.name}: ")].append(one.name)
    for reason, names in reasons.items():
        yield Finding(Level.FAIL, f"{count(len(names), 'file')} cannot be read: {reason}.", tuple(names))


def _undeclared(data: Dataset) -> Iterator[Finding]:
    empty = data.undeclared.get("", 0)
    others = [f"{label} ({count})" for label, count in sorted(data.undeclared.items()) if label]
    if empty:
        yield Finding(Level.WARN, f"{count(empty, 'row has', 'rows have')} no label and were skipped.")
    if others:
        yield Finding(
            Level.WARN,
            f"Labels that are declared neither positive nor negative were skipped: {', '.join(others)}; "
            "say what they mean with --positive and --negative.",
        )


def _balance(data: Dataset) -> Iterator[Finding]:
    positives, n = sum(sample.label for sample in data.samples), len(data.samples)
    if not n:
        yield Finding(Level.FAIL, "No labelled slice can be read.")
    elif positives in (0, n):
        word = "COVID-19" if positives else "other"
        yield Finding(
            Level.FAIL, f"There is one class only: all {n} slices are {word}; nothing can be learned."
        )
    elif min(positives, n - positives) < SMALL_SHARE * n:
        word = "COVID-19" if 2 * positives < n else "others"
        yield Finding(
            Level.WARN,
            f"The classes differ widely in size: {positives} COVID-19, {n - positives} others; a model that "
            f"never says {word} would have a high accuracy.",
        )


def _torn_patients(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Patients of both classes; a slice without lesion counts for neither."""
    members: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.row.patient_id and sample.row.label != NO_LESION:
            members[sample.row.source, sample.row.patient_id].append(sample)
    torn = {key: group for key, group in members.items() if len({one.label for one in group}) > 1}
    if torn:
        source, patient = min(torn)
        yield Finding(
            Level.WARN,
            f"{count(len(torn), 'patient has', 'patients have')} slices of both classes, as {patient} of "
            f"{source}: one id for two people, or a wrong label. Slices without lesion are labelled "
            f"{NO_LESION}.",
            tuple(one.name for group in torn.values() for one in group),
        )


def _share(data: Dataset) -> Figure:
    return Figure(
        "COVID-19", "share of slices", estimate_share([sample.label for sample in data.samples], data.groups)
    )


def _counts(data: Dataset) -> Table:
    names = [row.label for row in (*(s.row for s in data.samples), *(u.row for u in data.unreadable))]
    rows = []
    for label in data.plan.labels:
        if label in names:
            good = [
                group
                for sample, group in zip(data.samples, data.groups, strict=True)
                if sample.row.label == label
            ]
            positive = "positive" if label in data.plan.positive else "negative"
            rows.append(
                (label, positive, f"{len(good)}", f"{len(set(good))}", f"{names.count(label) - len(good)}")
            )
    return Table(
        "Labels", ("Label", "Counts as", "Slices", "Patients or blocks", "Not readable"), tuple(rows)
    )


def _conflict(samples: Sequence[Sample], match: Match) -> bool:
    same = match.likeness is not Likeness.NEIGHBOUR
    return same and samples[match.first].label != samples[match.second].label


def _worst(matches: Sequence[Match]) -> list[Match]:
    return sorted(matches, key=lambda match: -match.correlation)


def _conflicts(samples: Sequence[Sample], conflicts: Sequence[Match]) -> Iterator[Finding]:
    if conflicts:
        concerned = sorted({index for match in conflicts for index in (match.first, match.second)})
        yield Finding(
            Level.FAIL,
            f"{count(len(conflicts), 'pair shows', 'pairs show')} the same picture under two labels.",
            tuple(samples[index].name for index in concerned),
        )


def _pair(samples: Sequence[Sample], match: Match) -> Pair:
    first, second = samples[match.first], samples[match.second]
    return Pair(
        first.name,
        second.name,
        (first.row.label, second.row.label),
        f"{match.likeness}, correlation {match.correlation:.3f}",
    )
