"""Phantoms are let through; what is no axial chest CT is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from audits import make_sample, texts
from covidct.audit.checks.modality import check_modality, suspect
from covidct.audit.probes.appearance import Appearance
from covidct.audit.probes.features import measure_features
from covidct.audit.sample import Sample
from covidct.audit.verdict import Level
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

CHEST = Appearance(colour=0.0, contrast=0.93, sharpness=0.33, lung_share=0.35, dark_share=0.4, height=0.75)


def view(pixels: Pixels, colour: float = 0.0) -> Appearance:
    return measure_features(pixels, colour=colour).view


def blur(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def radiograph(seed: int, size: int) -> Pixels:
    """A chest film: soft shadows of lungs, heart, ribs and spine over a bright trunk."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    film = 30 + 150 * np.exp(-((np.abs(x) / 0.85) ** 6))
    for side in (-1, 1):
        lung = ((x - 0.4 * side) / 0.3) ** 2 + ((y + 0.1) / 0.62) ** 2
        film -= 105 * np.exp(-(lung**2)) * rng.uniform(0.9, 1.1)
    film += 60 * np.exp(-(((x - 0.1) / 0.3) ** 2 + ((y - 0.3) / 0.35) ** 2)) + 45 * np.exp(-((x / 0.08) ** 2))
    film += 12 * np.sin(18 * (y + 0.5 * np.abs(x)) + rng.uniform(0, 6)) * (np.abs(x) < 0.75)
    noisy = np.clip(film + rng.normal(0, 3, film.shape), 0, 255).astype(np.uint8)
    return blur(noisy, size / 60)


def coronal(size: int) -> Pixels:
    """A trunk twice as tall as wide, with two lungs in its upper half."""
    pixels = np.zeros((size, size), np.uint8)
    pixels[size // 20 : -size // 20, size // 4 : -size // 4] = 225
    for centre in (0.38, 0.62):
        cv2.ellipse(pixels, (int(centre * size), int(0.3 * size)), (size // 12, size // 6), 0, 0, 360, 60, -1)
    return blur(pixels, 0.7)


def abdomen(size: int) -> Pixels:
    """A body without lungs, in a lung window."""
    pixels = np.zeros((size, size), np.uint8)
    centre = (size // 2, size // 2)
    cv2.ellipse(pixels, centre, (int(0.45 * size), int(0.32 * size)), 0, 0, 360, 205, -1)
    cv2.ellipse(pixels, centre, (int(0.4 * size), int(0.28 * size)), 0, 0, 360, 238, -1)
    return blur(pixels, 0.7)


def gravel(size: int) -> Pixels:
    """A grey photograph: small shapes of every grey."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(size, size)), (0, 0), size / 100)
    return np.asarray(np.clip(128 + 45 * noise / noise.std(), 0, 255), np.uint8)


@pytest.mark.parametrize("kind", Phantom)
@pytest.mark.parametrize("size", [64, 96, 128, 256, 512])
def test_phantoms_are_not_flagged(kind: Phantom, size: int) -> None:
    seeds = range(3 if size > 200 else 10)
    assert [suspect(view(to_display(draw_phantom(kind, seed=seed, size=size)))) for seed in seeds] == [
        ""
    ] * len(seeds)


@pytest.mark.parametrize("size", [128, 300, 512])
def test_radiographs_are_flagged(size: int) -> None:
    found = {suspect(view(radiograph(seed, size))) for seed in range(5)}
    assert found == {"radiograph-like"}


@pytest.mark.parametrize("size", [128, 300])
@pytest.mark.parametrize(
    ("draw", "word"), [(coronal, "coronal"), (abdomen, "no lungs"), (gravel, "no lung window")]
)
def test_other_pictures_are_flagged(size: int, draw: Callable[[int], Pixels], word: str) -> None:
    assert word in suspect(view(draw(size)))


def test_colour_is_flagged_and_a_coloured_arrow_is_not() -> None:
    chest = to_display(draw_phantom(Phantom.NORMAL, size=128))
    assert "colour" in suspect(view(chest, colour=0.5))
    assert suspect(view(chest, colour=0.05)) == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, ""),
        ({"contrast": 0.75, "sharpness": 0.15, "height": 1.1}, "radiograph"),
        ({"contrast": 0.75, "sharpness": 0.15}, ""),
        ({"contrast": 0.65}, "no lung window"),
        ({"contrast": 0.78, "lung_share": 0.01}, "no lung window"),
        ({"height": 1.5}, "taller"),
        ({"lung_share": 0.0, "dark_share": 0.03}, "no lungs"),
        ({"lung_share": 0.0, "dark_share": 0.3}, ""),
    ],
)
def test_signs(change: dict[str, float], word: str) -> None:
    found = suspect(replace(CHEST, **change))
    assert word in found
    assert bool(found) == bool(word)


def cohort(bad: int, good: int) -> Sequence[Sample]:
    chest = measure_features(to_display(draw_phantom(Phantom.NORMAL, size=64)), colour=0.0)
    photo = measure_features(np.zeros((64, 64), np.uint8), colour=0.9)
    return [
        replace(make_sample(f"{at}.png"), features=photo if at < bad else chest) for at in range(bad + good)
    ]


@pytest.mark.parametrize(
    ("bad", "good", "level"),
    [
        (0, 50, Level.PASS),
        (1, 99, Level.PASS),
        (1, 40, Level.WARN),
        (3, 300, Level.WARN),
        (10, 40, Level.WARN),
        (11, 40, Level.FAIL),
    ],
)
def test_levels(bad: int, good: int, level: Level) -> None:
    found = check_modality(cohort(bad, good))
    assert found.level is level
    assert bool(found.advice) == (level is not Level.PASS)
    (figure,) = found.figures
    assert figure.estimate.value == bad / (bad + good)
    assert figure.estimate.low is not None
    assert figure.estimate.low <= bad / (bad + good)
    assert found.headline.startswith(f"{bad} of {bad + good} slices")


def test_files_are_listed_by_reason() -> None:
    found = check_modality(cohort(4, 60))
    assert "4 slices: colour photograph" in texts(found, Level.WARN)
    assert found.findings[0].files == ("0.png", "1.png", "2.png", "3.png")


def test_it_says_what_it_misses() -> None:
    assert "classical" in check_modality(cohort(0, 1)).headline
    assert check_modality([]).figures[0].estimate.value is None
