"""Instances -> groups of one series each, by SeriesInstanceUID, or by other elements if that was broken.

An anonymiser may give two patients one UID, or every slice a UID of its own. Slices of two patients are never
one series; lone slices that are clearly of one scan are, and the series says so. Knows headers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from covidct.series.geometry import SAME_MM, find_normal, find_position, is_axial
from covidct.series.non_slices import MIN_SLICES
from covidct.series.types import Described
from covidct.types import Note

WIDEST_MM = 20.0  # between neighbours of a scan whose only bond is its patient
EVEN = 1.5  # times their usual distance

APART = Note(
    "apart",
    "Slices of another patient or study have the same SeriesInstanceUID: each is read on its own.",
)
MENDED = Note(
    "mended",
    "Its slices have no common SeriesInstanceUID: grouped by patient, study, number and position.",
)


@dataclass(frozen=True)
class Group:
    """Instances that belong together, and what is to be said of that."""

    uid: str
    members: tuple[Described, ...]
    notes: tuple[Note, ...] = ()


def group(instances: Iterable[Described]) -> list[Group]:
    """The groups that can become series; all other instances are answered singly."""
    by_uid: dict[str, list[Described]] = defaultdict(list)
    lone: list[Described] = []
    for item in instances:
        uid = _series_of(item)
        (by_uid[uid] if uid else lone).append(item)
    groups: list[Group] = []
    for uid, members in by_uid.items():
        parts = _part_patients(members)
        notes = (APART,) if len(parts) > 1 else ()
        whole = [part for part in parts if not _is_alone(part)]
        groups += [Group(uid, tuple(part), (*notes, *part[0].notes)) for part in whole]
        lone += [item for part in parts if _is_alone(part) for item in part]
    return [*groups, *_mend(lone)]


def _series_of(item: Described) -> str | None:
    """What tells series apart; volumes and frames without a UID are series of their own."""
    if uid := item.acquisition.series_uid:
        return uid
    return item.instance.path if item.instance.frame is not None else None


def _part_patients(members: list[Described]) -> list[list[Described]]:
    """The members by patient, and by study; not by studies of one slice each, whose UIDs are broken."""
    parts = _by(members, lambda item: _fold(item.acquisition.patient_id))
    found: list[list[Described]] = []
    for part in parts:
        studies = _by(part, lambda item: item.acquisition.study_uid)
        found += studies if any(len(study) > 1 for study in studies) else [part]
    return found


def _fold(patient_id: str | None) -> str | None:
    return patient_id.casefold() if patient_id else None


def _by(members: Iterable[Described], key: Callable[[Described], Hashable]) -> list[list[Described]]:
    """The members by a key; those without it go with the others, where these have but one."""
    groups: dict[Hashable, list[Described]] = defaultdict(list)
    for item in members:
        groups[key(item)].append(item)
    if len(groups) == 2 and None in groups:
        return [list(members)]
    return list(groups.values())


def _is_alone(members: Sequence[Described]) -> bool:
    """Whether this is one instance, if it is in several files, too."""
    first = members[0].instance
    if any(item.instance.frame for item in members):
        return False
    return len(members) == 1 or (len(_distinct(members)) == 1 and first.sop_instance_uid is not None)


def _distinct(members: Iterable[Described]) -> set[tuple[str | None, tuple[float, ...]]]:
    return {(item.instance.sop_instance_uid, item.position) for item in members}


def _mend(lone: Iterable[Described]) -> list[Group]:
    """Groups of lone slices that are plainly of one scan."""
    candidates = [item for item in lone if item.position and item.orientation and _is_ct(item)]
    scans = _by_scan(candidates)
    return [Group(_uid(scan), tuple(scan), (MENDED,)) for scan in scans if _is_scan(scan)]


def _is_ct(item: Described) -> bool:
    return item.acquisition.modality in ("CT", None)


def _by_scan(items: Iterable[Described]) -> list[list[Described]]:
    groups: dict[Hashable, list[Described]] = defaultdict(list)
    for item in items:
        acquisition = item.acquisition
        known = (_fold(acquisition.patient_id), acquisition.series_number, acquisition.slice_thickness_mm)
        plane = tuple(round(value, 2) for value in item.orientation)
        groups[known, plane, acquisition.rows, acquisition.columns].append(item)
    found: list[list[Described]] = []
    for members in groups.values():
        studies = _by(members, lambda item: item.acquisition.study_uid)
        found += [members] if all(len(_distinct(study)) == 1 for study in studies) else studies
    return found


def _is_scan(members: Sequence[Described]) -> bool:
    """Whether slices with headers alike are of one scan: by study, frame of reference or even spacing."""
    normal = find_normal(members[0].orientation)
    if normal is None or not is_axial(normal):
        return False
    # Copies (a medium that was saved twice) lie in one place, and are no other slices.
    distinct = _distinct(members)
    places = sorted(find_position(position, normal) for _, position in distinct)
    if len(places) < MIN_SLICES:
        return False
    steps = [after - before for before, after in pairwise(places)]
    if min(steps) < SAME_MM:
        return False
    frames = Counter(item.marks.get("FrameOfReferenceUID") for item in members)
    study = members[0].acquisition.study_uid
    bound = len({item.acquisition.study_uid for item in members}) == 1 and study is not None
    if len(frames) not in (1, len(distinct)):  # several scans of one study, told apart by their frames
        return False
    if bound or (len(frames) == 1 and None not in frames):
        return True
    even = max(steps) <= min(EVEN * float(np.median(steps)), WIDEST_MM)
    return even and members[0].acquisition.patient_id is not None


def _uid(members: Sequence[Described]) -> str:
    """A name for the series: the least of the UIDs that its slices have."""
    uids = (
        item.acquisition.series_uid or item.instance.sop_instance_uid or item.instance.path
        for item in members
    )
    return min(uids)
