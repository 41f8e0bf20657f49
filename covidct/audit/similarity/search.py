"""Which slices of a set show the same picture, whatever was done to the copy; which are neighbours.

Three steps: equal digests; for every other slice the ten most similar ones (of a small set twenty) under 178
views of it; each of these pairs aligned and correlated. Knows samples; nothing of what a match means for
training.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from covidct.audit.sample import Sample
from covidct.audit.similarity.alignment import correlate, is_promising
from covidct.audit.similarity.embedding import (
    FEW,
    Vectors,
    describe,
    fit_projection,
    halve,
    make_views,
    show_whole,
    to_operator,
)
from covidct.audit.similarity.matches import Likeness, Match
from covidct.audit.similarity.regions import Regions, divide
from covidct.audit.threads import open_threads
from covidct.types import Pixels

# Measured on 2305 slices of four sources: 99 of 100 copies are above 0.965, adjacent slices of one volume up
# to 0.964; different hospitals up to 0.76.
COPY = 0.965
NEIGHBOUR = 0.8
# From here on a pair is looked at the other way round too.
DOUBTFUL = 0.6
NEAREST = 10
# Candidates are less than 60 degrees apart.
SIMILAR = 0.5
# In a set too small for whitening, where all chests are much alike. Of 1143 copies, each among 30 slices of
# two hospitals and their copies, the least similar one had 0.69, and none was beyond the twenty.
NEAREST_OF_FEW, SIMILAR_OF_FEW = 20, 0.65
# Queries compared at once: with `MANY` targets 2 MB of similarities, which stay in a core's cache.
QUERIES = 128
# Of more slices, each is compared with those of the nearest regions alone.
MANY = 4096
# What a slice is given as its similarity to itself: less than to any other.
ITSELF = -2.0
# Pairs verified in one task.
CHUNK = 64

# A row a candidate: query, target, the view of the query that resembles the target.
Candidates = NDArray[np.int64]
Similarities = NDArray[np.float32]
T = TypeVar("T")


def find_matches(samples: Sequence[Sample]) -> tuple[Match, ...]:
    """All pairs of slices that are alike, sorted, each once, with progress bars on standard error.

    EXACT has the same digest: n identical slices give n - 1 matches, each with the first of them, and the
    first alone is searched for more. COPY is the same picture scaled, compressed, mirrored, turned by up to
    15 degrees, cropped to 80 %, in another window or with arrows drawn in. NEIGHBOUR is as alike as adjacent
    slices of one patient.

    Limits: for each slice the ten most similar ones (of a small set twenty) are looked at, so of a cluster
    with more members not every pair is listed (`to_clusters` joins them). Smaller crops and larger turns are
    found less surely. Slices without structure match by their digest alone. Adjacent slices of thin volumes
    can count as copies; slices of one patient that lie further apart are not found. Memory grows as n, time
    too up to a few thousand slices, then as n to the power of 1.5.
    """
    exact, kept = _match_digests(samples)
    thumbnails = [samples[index].thumbnail for index in kept]
    candidates = _find_candidates(thumbnails)
    near = []
    for (query, target, _), correlation in zip(candidates, _verify(thumbnails, candidates), strict=True):
        if (likeness := _judge(correlation)) is not None:
            first, second = sorted((kept[query], kept[target]))
            near.append(Match(first, second, likeness, correlation))
    return tuple(sorted((*exact, *near), key=lambda match: (match.first, match.second)))


def _judge(correlation: float) -> Likeness | None:
    if correlation >= COPY:
        return Likeness.COPY
    return Likeness.NEIGHBOUR if correlation >= NEIGHBOUR else None


def _match_digests(samples: Sequence[Sample]) -> tuple[list[Match], list[int]]:
    """Identical slices, each matched to the first of its kind; and the first ones."""
    first: dict[str, int] = {}
    matches = []
    for index, sample in enumerate(samples):
        if (original := first.setdefault(sample.digest, index)) != index:
            matches.append(Match(original, index, Likeness.EXACT, 1.0))
    return matches, list(first.values())


def _find_candidates(thumbnails: Sequence[Pixels]) -> Candidates:
    """Pairs to verify, (m, 3), each once, the more similar way round."""
    n = len(thumbnails)
    if n < 2:
        return np.zeros((0, 3), np.int64)
    blocks = [halve(thumbnails[at : at + QUERIES]) for at in range(0, n, QUERIES)]
    descriptors = np.concatenate([describe(block, show_whole()) for block in blocks])
    projection, operators = fit_projection(descriptors), [to_operator(view) for view in make_views()]
    targets = projection.apply(descriptors)
    regions = divide(targets) if n > MANY else None

    def search(start: int) -> tuple[Candidates, Similarities]:
        block = blocks[start // QUERIES]
        seen = np.stack([projection.apply(describe(block, operator)) for operator in operators])
        return _nearest(seen, targets, start, regions=regions)

    parts = _in_threads(search, range(0, n, QUERIES), label="looking for duplicates")
    return _once(np.concatenate([found for found, _ in parts]), np.concatenate([s for _, s in parts]))


def _nearest(
    seen: Vectors, targets: Vectors, start: int, *, regions: Regions | None = None
) -> tuple[Candidates, Similarities]:
    """The nearest targets (n, k) of a block of queries under all their views, (views, b, k)."""
    n = len(targets)
    count, floor = (NEAREST, SIMILAR) if n >= FEW else (NEAREST_OF_FEW, SIMILAR_OF_FEW)
    similar = _most_similar(seen, targets) if regions is None else regions.compare(seen)
    rows = np.arange(len(similar))
    similar[rows, start + rows] = ITSELF
    places = np.argpartition(-similar, min(count, n) - 1, axis=1)[:, :count]
    values = np.take_along_axis(similar, places, 1)
    query, rank = np.nonzero(values > floor)
    target = places[query, rank]
    # View by view: all at once they would take half a gigabyte.
    found = targets[target]
    view = np.stack([np.einsum("mk,mk->m", one[query], found) for one in seen]).argmax(axis=0)
    return np.stack([query + start, target, view], axis=1), values[query, rank]


def _most_similar(seen: Vectors, targets: Vectors) -> Similarities:
    """The greatest similarity of each query to each target over all views, (b, n)."""
    best = np.asarray(seen[0] @ targets.T, np.float32)
    other = np.empty_like(best)
    for view in seen[1:]:
        np.matmul(view, targets.T, out=other)
        np.maximum(best, other, out=best)
    return best


def _once(found: Candidates, similarities: Similarities) -> Candidates:
    """Each pair once, in order: of its two directions the more similar one."""
    low, high = found[:, :2].min(axis=1), found[:, :2].max(axis=1)
    order = np.lexsort((found[:, 0], -similarities, high, low))
    pairs = np.stack([low, high], axis=1)[order]
    new = np.ones(len(pairs), bool)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return found[order][new]


def _verify(thumbnails: Sequence[Pixels], candidates: Candidates) -> list[float]:
    """The correlation of every candidate."""
    views = make_views()

    def verify(start: int) -> list[float]:
        return [
            _correlate(thumbnails[query], thumbnails[target], views[view])
            for query, target, view in candidates[start : start + CHUNK]
        ]

    parts = _in_threads(verify, range(0, len(candidates), CHUNK), label="comparing pairs")
    return [correlation for part in parts for correlation in part]


def _correlate(first: Pixels, second: Pixels, view: NDArray[np.float32]) -> float:
    """The better of both ways round: what a turned copy lost at its corners is outside one way only.

    0 where a rough look promises nothing, as of most pairs.
    """
    if not is_promising(first, second, view):
        return 0.0
    correlation = correlate(first, second, view)
    if not DOUBTFUL <= correlation < COPY:
        return correlation
    back = np.asarray(cv2.invertAffineTransform(view), np.float32)
    return max(correlation, correlate(second, first, back))


def _in_threads(work: Callable[[int], T], starts: Sequence[int], *, label: str) -> list[T]:
    """Do it for every start, under a progress bar: OpenCV and NumPy leave the lock to other threads.

    Meanwhile BLAS has no threads of its own: they would wait for each other, and on a busy machine ten times
    as long as they compute.
    """
    with threadpool_limits(1, user_api="blas"), open_threads() as threads:
        results = threads.map(work, starts)
        with click.progressbar(results, len(starts), label=label.ljust(24), file=sys.stderr) as bar:
            return list(bar)
