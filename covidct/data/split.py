"""Which patient goes into which split: grouped, stratified by source and label, deterministic.

Knows rows and names, not pixels. Rows that already have a split keep it, but for a share of
`train` that is set aside as `calibrate`, as few published sets bring one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from covidct.data.manifest import DataPlan, Row, to_label
from covidct.images.files import natural_key

# Of its share of few slices, half will do for any split but the one that is learned from.
LEAST = {"train": 0.8}


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


def is_stand_in(group: str) -> bool:
    """Whether a group that `to_groups` named stands in for a patient whose id is not known."""
    return re.search(r"/neighbours-\d{4,}$", group) is not None


def assign_splits(rows: Sequence[Row], plan: DataPlan) -> tuple[Row, ...]:
    """Rows with every split filled in; the same rows and plan give the same answer.

    No group is divided by what is assigned here; splits in the manifest stay as they are. At least one group
    of each source and label stays in `train`. If the manifest has a `test` split, none is drawn.
    """
    return _assign(rows, plan, block=fit_block(rows, plan))


def fit_block(rows: Sequence[Row], plan: DataPlan) -> int:
    """How many slices with neighbouring numbers count as a patient: `plan.block`, or fewer if necessary.

    Fewer are necessary if whole blocks would leave a split without one of the classes, as with 25 + 25
    slices.
    """
    if all(row.patient_id for row in rows) or _is_filled(_assign(rows, plan, block=plan.block), plan):
        return plan.block
    block = plan.block // 2
    while block > 1 and not _is_filled(_assign(rows, plan, block=block), plan, evenly=True):
        block //= 2
    return max(block, 1)


def _is_filled(rows: Sequence[Row], plan: DataPlan, *, evenly: bool = False) -> bool:
    """Whether both classes stand in every split wanted; `evenly`: with about its share."""
    counts = Counter((row.split, to_label(row, plan)) for row in rows)
    totals = Counter(to_label(row, plan) for row in rows)
    return all(
        counts[split, label] > 0
        and (not evenly or counts[split, label] >= LEAST.get(split, 0.5) * share * totals[label])
        for split, share in _shares(plan).items()
        for label in (0, 1)
        if share
    )


def _shares(plan: DataPlan) -> dict[str, float]:
    """The share of the slices that each split is to have."""
    shares = {"test": plan.test, "tune": plan.tune, "calibrate": plan.calibrate}
    return shares | {"train": 1 - sum(shares.values())}


def _assign(rows: Sequence[Row], plan: DataPlan, *, block: int) -> tuple[Row, ...]:
    groups = to_groups(rows, block=block)
    wanted = 0.0 if any(row.split == "test" for row in rows) else plan.test
    splits: dict[str, str] = {}
    for members in _strata(rows, groups).values():
        given = {name: _given_split(rows, indices) for name, indices in members.items()}
        unplaced = {name: len(members[name]) for name, split in given.items() if not split}
        given |= dict.fromkeys(_take(unplaced, wanted, plan.seed), "test")
        unplaced = {name: size for name, size in unplaced.items() if not given[name]}
        tune = _take(unplaced, plan.tune / (1 - wanted), plan.seed)
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

    What is left is `train`. Rows that have a split keep it, and so do their groups. The same rows, groups,
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
