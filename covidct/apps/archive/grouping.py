"""The index -> groups of files that are answered together, as few bytes a file as that takes.

A group is closed: no file outside is of a study, or may be of a series, with one inside. So a group is
answered as if it were given alone. Knows numbers, not names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covidct.apps.archive.index import SKIPPED
from covidct.apps.archive.keys import to_key, to_word
from covidct.apps.archive.table import Table

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]
_COLUMNS = ["file", "version", "member", "instances", "series", "study", "frame", "scan", "instance"]


@dataclass(frozen=True)
class Index:
    """The rows that count, as columns of one length N: `part` and `row` say where each lies in the index.

    `parts` are the names of the index's parts; `versions`, sorted, are those of all files, skipped ones too.
    """

    parts: tuple[str, ...]
    versions: Keys
    part: NDArray[np.int32]
    row: NDArray[np.int32]
    columns: dict[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Group:
    """Files that are answered together: in the index, the `row`-th of part `part`; `file` names one of them.

    `name` changes when any of its files does, or when one comes or goes. `instances` are at least so many.
    """

    name: str
    file: int
    part: NDArray[np.int32]
    row: NDArray[np.int32]
    instances: int


def read_index(table: Table) -> Index:
    """The rows of the files as they are now: of a file that changed, those of the last look.

    Raises ArchiveError for a damaged part, OSError.
    """
    names = tuple(table.list_index())
    read: dict[str, list[NDArray[np.generic]]] = {name: [] for name in _COLUMNS}
    sizes = []
    for name in names:
        rows = table.read_index(name, _COLUMNS)
        sizes.append(rows.num_rows)
        for column in _COLUMNS:
            read[column].append(rows[column].to_numpy())
    columns = {
        name: np.concatenate(parts) if parts else np.zeros(0, np.uint64) for name, parts in read.items()
    }
    part = np.repeat(np.arange(len(names), dtype=np.int32), sizes)
    row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes] or [np.zeros(0, np.int32)])
    counts = _is_latest(columns["file"], part) & (columns["member"] != SKIPPED)
    kept = {name: values[counts] for name, values in columns.items()}
    return Index(names, np.unique(columns["version"]), part[counts], row[counts], kept)


def _is_latest(file: NDArray[np.generic], part: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether a row is of the last part that has its file."""
    if not len(file):
        return np.zeros(0, np.bool_)
    _, which = np.unique(file, return_inverse=True)
    last = np.zeros(which.max() + 1, np.int32)
    np.maximum.at(last, which, part)
    return np.asarray(part == last[which])


def find_groups(index: Index) -> Iterator[Group]:
    """The groups of all files, in the order in which their first files stand in the index."""
    if not len(index.part):
        return
    columns = index.columns
    _, series = np.unique(columns["series"], return_inverse=True)
    root = _join(series, columns)[series]
    order = np.argsort(root, kind="stable")
    starts = np.flatnonzero(np.diff(root[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    firsts = order[starts]
    for at in np.argsort(firsts, kind="stable"):
        yield _to_group(index, order[starts[at] : ends[at]])


def _to_group(index: Index, members: Numbers) -> Group:
    columns = index.columns
    versions = sorted(
        zip(columns["version"][members].tolist(), columns["member"][members].tolist(), strict=True)
    )
    return Group(
        to_word(to_key(*(value for pair in versions for value in pair))),
        int(columns["file"][members].min()),
        index.part[members],
        index.row[members],
        int(columns["instances"][members].sum()),
    )


def _join(series: Numbers, columns: dict[str, NDArray[np.generic]]) -> Numbers:
    """For each series the least of those that it is bound to, over however many others."""
    count = int(series.max()) + 1
    root = np.arange(count)
    lone = _find_lone(series, columns["instance"], count)
    bound: list[tuple[Numbers, Keys]] = [(series, np.asarray(columns["study"], np.uint64))]
    bound += [(series[lone], np.asarray(columns[name], np.uint64)[lone]) for name in ("frame", "scan")]
    for members, keys in bound:
        for one, other in _pair(members, keys):
            _unite(root, one, other)
    return np.array([_find(root, at) for at in range(count)])


def _find_lone(series: Numbers, instance: NDArray[np.generic], count: int) -> NDArray[np.bool_]:
    """Whether a row is of a series with one instance, if in several files."""
    order = np.lexsort((instance, series))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(series[order]) != 0) | (instance[order][1:] != instance[order][:-1])
    distinct = np.bincount(series[order], weights=first, minlength=count)
    return np.asarray(distinct[series] == 1)


def _pair(members: Numbers, keys: Keys) -> Iterator[tuple[int, int]]:
    """Pairs of different members that have a key in common, enough of them to join all."""
    order = np.lexsort((members, keys))
    members, keys = members[order], keys[order]
    alike = (keys[1:] == keys[:-1]) & (keys[1:] != 0) & (members[1:] != members[:-1])
    yield from zip(members[:-1][alike].tolist(), members[1:][alike].tolist(), strict=True)


def _find(root: Numbers, at: int) -> int:
    while root[at] != at:
        root[at] = root[root[at]]
        at = int(root[at])
    return at


def _unite(root: Numbers, one: int, other: int) -> None:
    one, other = _find(root, one), _find(root, other)
    root[max(one, other)] = min(one, other)


def pack(groups: Sequence[Group], *, instances: int) -> Iterator[list[Group]]:
    """Units of whole groups, each until it has so many instances."""
    unit: list[Group] = []
    for group in groups:
        unit.append(group)
        if sum(one.instances for one in unit) >= instances:
            yield unit
            unit = []
    if unit:
        yield unit
