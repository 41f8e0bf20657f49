"""Matches as they concern splits and sources: which slices of one place are like which of another.

Identical slices are matched to the first of them alone; here each of them gets what that one has. A link
joins whole sets of slices, so a thousand identical ones are a link or a few, not half a million pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from covidct.audit.sample import Sample
from covidct.audit.similarity.matches import Likeness, Match, to_clusters

Place = tuple[str, str]
Members = dict[Place, list[int]]


@dataclass(frozen=True)
class Link:
    """Every slice of `first` is like every one of `second`, by index; both may be the same slices.

    All of `first` are of one split and source, and so are all of `second`; `patients` are those of all their
    slices, (source, id), the id being empty where it is not known.
    """

    first: tuple[int, ...] = field(repr=False)
    second: tuple[int, ...] = field(repr=False)
    places: tuple[Place, Place]
    likeness: Likeness
    correlation: float
    patients: frozenset[tuple[str, str]]

    @property
    def same_patient(self) -> bool:
        """Whether all are known to be of one patient."""
        return self.knows_patients and len(self.patients) == 1

    @property
    def knows_patients(self) -> bool:
        """Whether every slice has a patient id."""
        return all(name for _, name in self.patients)

    @property
    def crosses_splits(self) -> bool:
        """Whether both sides have a split, and not the same."""
        (first, _), (second, _) = self.places
        return bool(first and second) and first != second

    @property
    def crosses_sources(self) -> bool:
        """Whether the sources differ."""
        return self.places[0][1] != self.places[1][1]

    @property
    def stays_within(self) -> bool:
        """Whether split and source are the same."""
        return self.places[0] == self.places[1]

    @property
    def example(self) -> tuple[int, int]:
        """Two different slices of the two sides."""
        first = self.first[0]
        return first, next(index for index in self.second if index != first)


def to_links(samples: Sequence[Sample], matches: Sequence[Match]) -> tuple[Link, ...]:
    """All links of a set: of every group of identical slices in itself, and of every two that are matched."""
    groups = _group(samples, matches)
    alone = {id(members): members for members in groups}
    links = [link for members in alone.values() for link in _inside(samples, members)]
    for match in matches:
        first, second = groups[match.first], groups[match.second]
        if first is not second:
            links += _between(samples, first, second, match)
    return tuple(links)


def _group(samples: Sequence[Sample], matches: Sequence[Match]) -> list[Members]:
    """For each sample those that are identical to it, itself included, by place: one object a group."""
    groups: dict[int, Members] = defaultdict(lambda: defaultdict(list))
    codes = to_clusters(len(samples), matches, likeness=Likeness.EXACT).tolist()
    for index, (code, sample) in enumerate(zip(codes, samples, strict=True)):
        groups[code][sample.row.split, sample.row.source].append(index)
    return [groups[code] for code in codes]


def _inside(samples: Sequence[Sample], members: Members) -> Iterator[Link]:
    for place, indices in members.items():
        if len(indices) > 1:
            yield _link(samples, (indices, indices), (place, place), Likeness.EXACT, 1.0)
    for one, other in combinations(members, 2):
        yield _link(samples, (members[one], members[other]), (one, other), Likeness.EXACT, 1.0)


def _between(samples: Sequence[Sample], first: Members, second: Members, match: Match) -> Iterator[Link]:
    for one, other in product(first, second):
        sides = first[one], second[other]
        yield _link(samples, sides, (one, other), match.likeness, match.correlation)


def _link(
    samples: Sequence[Sample],
    sides: tuple[Sequence[int], Sequence[int]],
    places: tuple[Place, Place],
    likeness: Likeness,
    correlation: float,
) -> Link:
    rows = [samples[index].row for side in sides for index in side]
    patients = frozenset((row.source, row.patient_id) for row in rows)
    return Link(tuple(sides[0]), tuple(sides[1]), places, likeness, correlation, patients)
