from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audits import make_sample
from covidct.audit.sample import Sample
from covidct.audit.similarity.matches import Likeness, Match
from covidct.audit.similarity.search import find_matches
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels


@cache
def draw(seed: int) -> Pixels:
    return to_display(draw_phantom(Phantom.LESIONS, seed=seed, size=128))


def to_samples(pictures: Sequence[Pixels]) -> list[Sample]:
    return [
        replace(
            make_sample(f"{place}.png"),
            thumbnail=np.asarray(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA), np.uint8),
            digest=hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest(),
        )
        for place, pixels in enumerate(pictures)
    ]


def find(pictures: Sequence[Pixels]) -> tuple[Match, ...]:
    return find_matches(to_samples(pictures))


def found(matches: Sequence[Match], likeness: Likeness) -> set[tuple[int, int]]:
    return {(match.first, match.second) for match in matches if match.likeness is likeness}


def compress(pixels: Pixels) -> Pixels:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer))


def turn(pixels: Pixels, angle: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR))


def resize(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "smaller": lambda pixels: resize(pixels, 80),
    "JPEG": compress,
    "turned left": lambda pixels: turn(pixels, 5),
    "turned right": lambda pixels: turn(pixels, -5),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "mirrored, turned": lambda pixels: turn(pixels[:, ::-1], 13),
    "corner": lambda pixels: pixels[:102, :102],
    "other corner": lambda pixels: compress(pixels[26:, 26:]),
    "between": lambda pixels: pixels[5:107, 17:119],
}


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_alike_where_there_is_nothing(n: int) -> None:
    assert find([draw(0)] * n) == ()


def test_two_identical_pictures_are_a_match() -> None:
    assert find([draw(0), draw(0)]) == (Match(0, 1, Likeness.EXACT, 1.0),)


def test_identical_pictures_are_matched_to_the_first_alone() -> None:
    matches = find([draw(0)] * 40)
    assert matches == tuple(Match(0, place, Likeness.EXACT, 1.0) for place in range(1, 40))


def test_a_copy_is_matched_to_the_first_of_identical_pictures() -> None:
    matches = find([draw(1), draw(0), draw(0), compress(draw(0)), draw(0)])
    assert found(matches, Likeness.EXACT) == {(1, 2), (1, 4)}
    assert found(matches, Likeness.COPY) == {(1, 3)}


@pytest.mark.parametrize("name", CHANGES)
def test_two_slices_are_enough_to_find_a_copy(name: str) -> None:
    assert found(find([draw(0), CHANGES[name](draw(0))]), Likeness.COPY) == {(0, 1)}


@pytest.mark.parametrize("others", [0, 46])
def test_every_kind_of_copy_is_found_and_nothing_else(others: int) -> None:
    """In a set too small for its vectors to be whitened, and in one whose are."""
    originals = [draw(seed) for seed in range(len(CHANGES) + others)]
    copies = [change(originals[place]) for place, change in enumerate(CHANGES.values())]
    wanted = {(place, len(originals) + place) for place in range(len(copies))}
    assert found(find(originals + copies), Likeness.COPY) == wanted


def test_blank_slices_are_not_alike() -> None:
    """Not even among so many that they fill each other's lists of candidates."""
    blank = [np.full((96, 96), level, np.uint8) for level in range(70)]
    rng = np.random.default_rng(0)
    noisy = [rng.integers(20, 20 + spread, (96, 96), np.uint8) for spread in (2, 3, 5, 9)]
    assert find([*blank, *noisy, blank[7]]) == (Match(7, 74, Likeness.EXACT, 1.0),)
    assert find([*blank[:5], *noisy]) == ()


def test_a_copy_is_found_among_blank_slices() -> None:
    blank = [np.full((96, 96), level, np.uint8) for level in range(70)]
    assert found(find([*blank, draw(0), compress(draw(0))]), Likeness.COPY) == {(70, 71)}


def test_near_identical_slices_are_joined_without_all_their_pairs() -> None:
    """Each has ten candidates, so that the matches grow as the slices, not as their square."""
    rng = np.random.default_rng(0)
    n = 66
    many = [np.clip(draw(0) + rng.normal(0, 2, draw(0).shape), 0, 255).astype(np.uint8) for _ in range(n)]
    matches = find(many)
    assert len(matches) <= 10 * n
    assert found(matches, Likeness.NEIGHBOUR) == set()
    assert {place for match in matches for place in (match.first, match.second)} == set(range(n))


def test_a_slice_that_shows_much_of_another_is_its_neighbour() -> None:
    mixed = (0.75 * draw(0) + 0.25 * draw(1)).astype(np.uint8)
    assert [(match.first, match.likeness) for match in find([draw(0), mixed])] == [(0, Likeness.NEIGHBOUR)]


def test_the_same_set_gives_the_same_matches() -> None:
    pictures = [draw(seed) for seed in range(60)] + [turn(draw(seed), 4) for seed in range(4)]
    assert find(pictures) == find(pictures)


@given(st.permutations(range(8)))
@settings(max_examples=5, deadline=None)
def test_order_does_not_matter(order: list[int]) -> None:
    pictures = [draw(0), draw(0), compress(draw(0)), draw(1), draw(2), turn(draw(2), 5), draw(3), draw(4)]
    pairs = {
        tuple(sorted((order[match.first], order[match.second])))
        for match in find([pictures[place] for place in order])
        if match.likeness is not Likeness.NEIGHBOUR
    }
    # Which of two identical pictures comes first has the copy.
    assert pairs in ({(0, 1), (0, 2), (4, 5)}, {(0, 1), (1, 2), (4, 5)})


def test_matches_are_sorted_and_come_once() -> None:
    pictures = [draw(seed % 4) if seed < 8 else compress(draw(seed % 4)) for seed in range(12)]
    matches = find(pictures)
    places = [(match.first, match.second) for match in matches]
    assert places == sorted(set(places))
    assert all(first < second for first, second in places)


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    find([draw(0), draw(1)])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "looking for duplicates" in captured.err
