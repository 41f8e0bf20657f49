"""Which patient goes into which split: grouped, stratified by source and label, deterministic.

Knows rows and names, not pixels. Rows that already have a split keep it, but for a share of
`train` that is set aside as `calibrate`, as few published sets bring one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from covidct.data.manifest import DataPlan, Row
from covidct.images.files import natural_key


def to_groups(rows: Sequence[Row], *, block: int) -> tuple[str, ...]:
    """For each row the name of what must not be divided between splits.

    That is the patient where there is an id. Where there is none, `block` neighbours in number
    within one source and label stand in for one: sets without ids are mostly numbered patient by patient.
    Augmented copies stay with the picture they were made from, and count as one with it.
    """
    families: dict[tuple[str, str], dict[Path, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, row in enumerate(rows):
        if not row.patient_id:
            families[row.source, row.label][row.parent or row.path].append(index)
    groups = [f"{row.source}/{row.patient_id}" for row in rows]
    for (source, label), members in families.items():
        for place, path in enumerate(sorted(members, key=_order)):
            for index in members[path]:
                groups[index] = f"{source}/{label}/neighbours-{place // block:04d}"
    return tuple(groups)


def assign_splits(rows: Sequence[Row], plan: DataPlan) -> tuple[Row, ...]:
    """Rows with every split filled in; the same rows and plan give the same answer.

    No group is divided by what is assigned here (what the manifest brings is kept). At least one
    group of each source and label stays in `train`.
    """
    groups = to_groups(rows, block=plan.block)
    splits: dict[str, str] = {}
    for members in _strata(rows, groups).values():
        given = {name: _given_split(rows, indices) for name, indices in members.items()}
        unplaced = {name: len(members[name]) for name, split in given.items() if not split}
        tune = _take(unplaced, plan.tune, plan.seed)
        given |= {name: "tune" if name in tune else "train" for name in unplaced}
        train = {name: len(members[name]) for name, split in given.items() if split == "train"}
        given |= dict.fromkeys(_take(train, plan.calibrate, plan.seed), "calibrate")
        splits |= given
    return tuple(
        replace(row, split=_to_split(row, splits[group])) for row, group in zip(rows, groups, strict=True)
    )


def divide_groups(
    rows: Sequence[Row], groups: Sequence[str], shares: Mapping[str, float], *, seed: int
) -> tuple[Row, ...]:
    """Rows with a split each: groups whole, `shares` (split -> share of slices) of every source and label.

    What is left is `train`. Splits that rows bring are kept, and so are their groups. The same rows, groups,
    shares and seed give the same answer. Raises ValueError where the shares leave nothing to train on.
    """
    if min(shares.values(), default=0.0) < 0 or sum(shares.values()) >= 1:
        raise ValueError(f"shares {dict(shares)} must be 0 or more and leave something for train")
    splits: dict[str, str] = {}
    for members in _strata(rows, groups).values():
        given = {name: _given_split(rows, indices) for name, indices in members.items()}
        left = {name: len(members[name]) for name, split in given.items() if not split}
        total = sum(left.values())
        for split, share in shares.items():
            taken = _take(left, share * total / max(sum(left.values()), 1), seed)
            given |= dict.fromkeys(taken, split)
            left = {name: size for name, size in left.items() if name not in taken}
        splits |= {name: split or "train" for name, split in given.items()}
    return tuple(
        row if row.split else replace(row, split=splits[group])
        for row, group in zip(rows, groups, strict=True)
    )


def join_groups(groups: Sequence[str], pairs: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Groups (n,) where those of each pair of indices have become one, named after the first of its names."""
    root = {group: group for group in groups}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for first, second in pairs:
        low, high = sorted((find(groups[first]), find(groups[second])))
        root[high] = low
    return tuple(find(group) for group in groups)


def _to_split(row: Row, assigned: str) -> str:
    """What the manifest says of a row stands, but that `train` may become `calibrate`."""
    return assigned if not row.split or (row.split, assigned) == ("train", "calibrate") else row.split


def _strata(rows: Sequence[Row], groups: Sequence[str]) -> dict[tuple[str, str], dict[str, list[int]]]:
    """(source, label) -> group -> row numbers; patients with several labels are a stratum of their own."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    strata: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(dict)
    for group, indices in members.items():
        label = "+".join(sorted({rows[index].label for index in indices}))
        strata[rows[indices[0]].source, label][group] = indices
    return strata


def _given_split(rows: Sequence[Row], indices: Iterable[int]) -> str:
    """The split the manifest brings for a group, "" for none; `train` only where nothing else is said."""
    said = {rows[index].split for index in indices} - {""}
    return min(said - {"train"}, default="train") if said else ""


def _take(sizes: dict[str, int], share: float, seed: int) -> tuple[str, ...]:
    """Groups drawn by `seed` until they hold `share` of the slices; never all of them."""
    wanted = share * sum(sizes.values())
    taken: list[str] = []
    total = 0
    for name in sorted(sizes, key=lambda name: _draw(name, seed))[:-1]:
        # A group goes in when that brings the share nearer than leaving it out.
        if total + sizes[name] / 2 <= wanted:
            taken.append(name)
            total += sizes[name]
    return tuple(taken)


def _draw(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def _order(path: Path) -> tuple[object, ...]:
    """Slice 2 before slice 10; the name itself tells apart what is the same number (02 and 2)."""
    return natural_key(str(path)), str(path)


def count_splits(rows: Iterable[Row], plan: DataPlan) -> dict[str, dict[str, tuple[int, int]]]:
    """Slices as split -> source -> (COVID-19, not)."""
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in rows:
        counts[row.split][row.source][row.label not in plan.positive] += 1
    return {split: {name: (pair[0], pair[1]) for name, pair in by.items()} for split, by in counts.items()}
