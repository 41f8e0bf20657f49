"""Check 3: patients, studies and copies that cross between splits, and the lock of the test split."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from covidct.audit.dataset import Dataset
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Figure, Finding, Level, Table, advise, count, sum_up
from covidct.data.lock import Lock, is_unchanged, read_lock
from covidct.data.manifest import SPLITS
from covidct.errors import ManifestError, ReadError
from covidct.images.files import natural_key
from covidct.stats.means import estimate_share

ADVICE = "Split by patient with `covidct split` before copies are made; keep copies with their picture."
RELOCK = "Restore the locked test split, or split again into another file and say so beside the figures."
_NUMBER = re.compile(r"^(.*?)([0-9]+)([^0-9]*)$")


def check_partition(data: Dataset) -> Check:
    """What is divided between splits and must not be; what the lock of the test split says."""
    samples = data.samples
    crossing = _crossing(samples, data.groups)
    locks = tuple(_locked(data))
    findings = (
        *_missing_splits(samples),
        *_divided(samples, "patient", _patient),
        *_divided(samples, "study", lambda one: one.row.study_uid),
        *_divided(samples, "series", lambda one: one.row.series_uid),
        *_shared_ids(samples),
        *_copies(samples),
        *_consecutive(samples),
        *locks,
    )
    return Check(
        name="splits",
        title="Split integrity",
        headline=sum_up(findings, _headline(samples, crossing)),
        advice=advise(findings, RELOCK if _is_only_the_lock(findings, locks) else ADVICE),
        findings=findings,
        figures=(
            Figure(
                "Slices of patients in more than one split", "share", estimate_share(crossing, data.groups)
            ),
        ),
        tables=(_table(samples, data.groups),),
    )


def _is_only_the_lock(findings: Sequence[Finding], locks: Sequence[Finding]) -> bool:
    return not any(one.level is not Level.PASS for one in findings if one not in locks)


def _headline(samples: Sequence[Sample], crossing: Sequence[bool]) -> str:
    if not any(sample.row.split for sample in samples):
        return "No split is assigned."
    if count := sum(crossing):
        return f"{count} of {len(samples)} slices belong to patients in more than one split."
    return "No patient is in more than one split."


def _patient(sample: Sample) -> str:
    row = sample.row
    return f"{row.source}/{row.patient_id}" if row.patient_id else ""


def _crossing(samples: Sequence[Sample], groups: Sequence[str]) -> list[bool]:
    """For each sample whether its known patient is in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    known = [group if sample.row.patient_id else "" for sample, group in zip(samples, groups, strict=True)]
    for sample, group in zip(samples, known, strict=True):
        splits[group].add(sample.row.split)
    return [bool(group) and len(splits[group] - {""}) > 1 for group in known]


def _missing_splits(samples: Sequence[Sample]) -> Iterator[Finding]:
    without = [sample.name for sample in samples if not sample.row.split]
    if len(without) == len(samples):
        yield Finding(
            Level.PASS, "No row has a split: training will assign them, `covidct split` fixes them for good."
        )
    elif without:
        yield Finding(
            Level.WARN,
            f"{count(len(without), 'row has', 'rows have')} no split while others do.",
            tuple(without),
        )


def _divided(samples: Sequence[Sample], word: str, key: Callable[[Sample], str]) -> Iterator[Finding]:
    """A finding where samples with one key are in several splits; an empty key says nothing."""
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.row.split and (name := key(sample)):
            members[name].append(sample)
    divided = {name: group for name, group in members.items() if len({one.row.split for one in group}) > 1}
    if divided:
        first, group = min(divided.items())
        splits = " and ".join(sorted({one.row.split for one in group}, key=SPLITS.index))
        plural = {"study": "studies", "series": "series"}.get(word, f"{word}s")
        what = f"1 {word} is" if len(divided) == 1 else f"{len(divided)} {plural} are"
        files = tuple(one.name for group in divided.values() for one in group)
        yield Finding(Level.FAIL, f"{what} in more than one split, as {first} in {splits}.", files)


def _shared_ids(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Ids that several sources use, in different splits: two patients, or one that is divided."""
    places: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for sample in samples:
        if sample.row.patient_id and sample.row.split:
            places[sample.row.patient_id].add((sample.row.source, sample.row.split))
    shared = {
        name
        for name, found in places.items()
        if len({source for source, _ in found}) > 1 and len({split for _, split in found}) > 1
    }
    if shared:
        yield Finding(
            Level.WARN,
            f"{count(len(shared), 'patient id is', 'patient ids are')} used in several sources and splits, "
            f"as {min(shared)}. Ids count within their source: where one means one patient, give its rows "
            "one source.",
            tuple(sample.name for sample in samples if sample.row.patient_id in shared),
        )


def _copies(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Augmented copies whose parent, or whose sibling, is in another split."""
    families: dict[Path, list[Sample]] = defaultdict(list)
    for sample in samples:
        families[_normal(sample.row.parent or sample.row.path)].append(sample)
    torn = [
        family
        for family in families.values()
        if any(one.row.parent for one in family) and len({one.row.split for one in family} - {""}) > 1
    ]
    if torn:
        files = tuple(one.name for family in torn for one in family)
        yield Finding(
            Level.FAIL,
            f"Augmented copies of {count(len(torn), 'picture')} are in another split than the picture or its "
            "other copies: split first, augment the training part only.",
            files,
        )


def _normal(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else Path(path.parent.resolve(), path.name)


def _consecutive(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Neighbours in number without patient ids in two splits: often one patient."""
    pairs = [
        (first, second)
        for first, second in _neighbours([sample for sample in samples if not sample.row.patient_id])
        if first.row.split and second.row.split and first.row.split != second.row.split
    ]
    if pairs:
        names = dict.fromkeys(one.name for pair in pairs for one in pair)
        yield Finding(
            Level.WARN,
            f"{count(len(pairs), 'time')}, neighbours in number without patient ids are in different splits, "
            f"as {pairs[0][0].name} and {pairs[0][1].name}: they may be one patient.",
            tuple(names),
        )


def _neighbours(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """Pairs of one source and label whose names differ by one in their last number."""
    ordered = sorted(samples, key=lambda one: (one.row.source, one.row.label, natural_key(one.name)))
    for first, second in pairwise(ordered):
        if (first.row.source, first.row.label) == (second.row.source, second.row.label):
            a, b = _NUMBER.match(Path(first.name).stem), _NUMBER.match(Path(second.name).stem)
            if a and b and a[1] == b[1] and a[3] == b[3] and int(b[2]) - int(a[2]) == 1:
                yield first, second


def _locked(data: Dataset) -> Iterator[Finding]:
    """What the lock beside the manifest says, if there is one."""
    if data.manifest.path.is_dir():
        return
    try:
        lock = read_lock(data.manifest.path)
    except ManifestError as error:
        yield Finding(Level.FAIL, str(error))
        return
    if lock is None:
        return
    try:
        unchanged = is_unchanged(lock, data.manifest)
    except ReadError as error:
        yield Finding(Level.FAIL, f"A slice of the locked test split cannot be read: {error}.")
        return
    if not unchanged:
        yield Finding(
            Level.FAIL,
            f"The test split is not the one that {lock.path.name} locks: slices or labels changed.",
        )
    yield _uses(lock)


def _uses(lock: Lock) -> Finding:
    models = {use.digest for use in lock.uses}
    times = "once" if len(lock.uses) == 1 else f"{len(lock.uses)} times"
    if len(models) > 1:
        return Finding(
            Level.WARN,
            f"The test split was measured on {times}, with {len(models)} models: choosing among them by it "
            "is tuning, and its figures are optimistic.",
        )
    return Finding(
        Level.PASS, f"The test split is locked; it was measured on {times if lock.uses else 'never yet'}."
    )


def _table(samples: Sequence[Sample], groups: Sequence[str]) -> Table:
    rows = []
    for split in (*SPLITS, ""):
        inside = [
            (sample, group)
            for sample, group in zip(samples, groups, strict=True)
            if sample.row.split == split
        ]
        if inside:
            positives = sum(sample.label for sample, _ in inside)
            patients = len({group for _, group in inside})
            rows.append(
                (
                    split or "none",
                    f"{len(inside)}",
                    f"{positives}",
                    f"{len(inside) - positives}",
                    f"{patients}",
                )
            )
    return Table("Splits", ("Split", "Slices", "COVID-19", "Other", "Patients or blocks"), tuple(rows))
