"""Synthetic axial chest CT slices in Hounsfield units, for tests, examples and the check of an installation.

Knows enough anatomy to look like a chest: body wall, ribs, spine, sternum, heart and great vessels, airways,
two lungs with vessels, and patches of ground glass and consolidation. A phantom is not a patient: answers for
phantoms do not show how well a model works on people.

Everything follows from `seed`: anatomy, vessels, lesions and noise have their own streams of random numbers,
so the same seed with and without lesions is the same chest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from covidct.images.phantoms.canvas import Canvas, Field, Point, blur, stroke
from covidct.images.phantoms.chest import (
    AIR,
    BLOOD,
    Anatomy,
    bend,
    cavity_field,
    draw_airways,
    draw_bones,
    draw_mediastinum,
    draw_table,
    draw_wall,
    lung_field,
    place,
    vary,
)

LUNG = -865.0


class Phantom(StrEnum):
    """What to draw."""

    NORMAL = "normal"
    LESIONS = "lesions"
    CONSOLIDATION = "consolidation"


@dataclass(frozen=True)
class PhantomSlice:
    """A drawn slice: `hu` (H, W) int16 Hounsfield units, and where lungs and lesions are, (H, W) bool.

    `lung_mask` includes what lies in the lungs, lesions and vessels too.
    """

    hu: NDArray[np.int16]
    lung_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_]


def draw_phantom(kind: Phantom, *, seed: int = 0, size: int = 512) -> NDArray[np.int16]:
    """Draw a slice (size, size) int16 in Hounsfield units, air about -1000; `seed` is 0 or above."""
    return draw_slice(kind, seed=seed, size=size).hu


def draw_slice(kind: Phantom, *, seed: int = 0, size: int = 512) -> PhantomSlice:
    """Draw a slice with its masks. Raises ValueError for a size below 16."""
    if size < 16:
        raise ValueError(f"size {size} is too small for a chest; at least 16 pixels")
    anatomy = vary(np.random.default_rng([seed, 0]))
    canvas = Canvas(size, value=AIR)
    draw_table(canvas, anatomy)
    bend(canvas, seed)
    draw_wall(canvas, anatomy, np.random.default_rng([seed, 1]))
    lungs = lung_field(canvas, anatomy)
    draw_mediastinum(canvas, anatomy, lungs, np.random.default_rng([seed, 2]))
    draw_bones(canvas, anatomy)
    tissue = _lung_tissue(canvas, anatomy, np.random.default_rng([seed, 3]))
    lesions = np.zeros_like(tissue)
    if kind is not Phantom.NORMAL:
        solid = 0.75 if kind is Phantom.CONSOLIDATION else 0.2
        sites = _lesion_sites(anatomy, seed)
        lesions = _add_lesions(canvas, tissue, sites, solid=solid, rng=np.random.default_rng([seed, 4]))
    _add_vessels(canvas, tissue, anatomy, np.random.default_rng([seed, 5]))
    canvas.fill(lungs, tissue)
    draw_airways(canvas, anatomy)
    inside = lungs > 0
    hu = _scan(canvas, np.random.default_rng([seed, 6]))
    return PhantomSlice(hu, lung_mask=inside, lesion_mask=inside & (lesions > 0.4))


def _lung_tissue(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> Field:
    """Give lung without vessels: denser towards the back, where the weight is, with fissures."""
    tissue = LUNG + 45 * canvas.y + 9 * canvas.noise(rng, cells=6) + 12 * canvas.noise(rng, cells=55)
    for side in (-1, 1):
        height = rng.uniform(-0.05, 0.2) + anatomy.shift[1]
        bow = canvas.y - height + 0.35 * (np.abs(canvas.x) - 0.35) ** 2 - 0.2 * (np.abs(canvas.x) - 0.35)
        line = np.minimum(0.004 - np.abs(bow), side * canvas.x)
        tissue += 55 * canvas.cover(line, edge=0.012)
    return np.asarray(tissue, dtype=np.float32)


def _add_lesions(
    canvas: Canvas, tissue: Field, sites: list[_Site], *, solid: float, rng: np.random.Generator
) -> Field:
    """Raise `tissue` to patches of ground glass, some of them solid inside; give their cover.

    `solid` is the share of patches with consolidation.
    """
    total = np.zeros_like(tissue)
    warp, grain, fine, mesh = (canvas.noise(rng, cells=cells) for cells in (12, 26, 60, 40))
    ragged = 0.026 * warp + 0.012 * grain + 0.007 * fine
    lines = (np.abs(mesh) < 0.2).astype(
        np.float32
    )  # thickened septa in ground glass, open airways in what is solid
    for site in sites:
        radii = rng.uniform(0.09, 0.22), rng.uniform(0.05, 0.10)
        patch = canvas.ellipse(site.centre, radii, turn=site.turn + rng.normal(0, 0.3)) + ragged
        cover = canvas.cover(patch, edge=0.05) * np.clip(rng.uniform(0.75, 1.0) + 0.16 * grain, 0, 1)
        glass = rng.uniform(-610, -450) + 40 * fine + 90 * lines
        tissue += cover * np.maximum(glass - tissue, 0)
        if rng.uniform() < solid:
            core = canvas.cover(patch - np.float32(0.022) + np.float32(0.02) * warp, edge=0.03)
            tissue += core * (rng.uniform(-120, 0) + 30 * fine - 260 * lines - tissue)
        np.maximum(total, cover, out=total)
    return total


@dataclass(frozen=True)
class _Site:
    """Where a patch lies, and the direction of the pleura there (radians)."""

    centre: Point
    turn: float


def _lesion_sites(anatomy: Anatomy, seed: int) -> list[_Site]:
    """Give places under the pleura, more at the back, on both sides in turn.

    Chosen on a canvas of one fixed size, so that they are the same in pictures of every size.
    """
    canvas, rng = Canvas(96, value=AIR), np.random.default_rng([seed, 8])
    bend(canvas, seed)
    cavity = cavity_field(canvas, anatomy)
    likely = (lung_field(canvas, anatomy) > 0.005) * np.exp(3.2 * canvas.y - np.square(cavity / 0.07))
    sites = []
    for number in range(rng.integers(6, 12)):
        side = likely * ((canvas.x > 0) if number % 2 else (canvas.x < 0))
        chances = side.ravel() / side.sum(dtype=np.float64)
        row, column = divmod(int(rng.choice(chances.size, p=chances)), canvas.size)
        x, y = float(canvas.x[row, column]), float(canvas.y[row, column])
        along = math.atan2(-x / anatomy.cavity[0] ** 2, y / anatomy.cavity[1] ** 2)
        sites.append(_Site((x, y), along))
    return sites


def _add_vessels(canvas: Canvas, tissue: Field, anatomy: Anatomy, rng: np.random.Generator) -> None:
    vessels = np.zeros_like(tissue)
    for side in (-1, 1):
        hilum = place(anatomy, 0.18 * side, 0.05)
        for heading in np.linspace(-1.4, 1.4, 7) + rng.normal(0, 0.12, 7):
            turned = heading if side > 0 else math.pi - heading
            _grow(vessels, hilum, turned, rng.uniform(0.009, 0.017), rng)
        _add_dots(vessels, anatomy, side, rng)
    tissue += vessels * (BLOOD - tissue)


def _grow(target: Field, start: Point, heading: float, radius: float, rng: np.random.Generator) -> None:
    """Draw a vessel and its branches, each thinner than its parent; some leave the plane of the slice."""
    waiting = [(start, heading, radius)]
    while waiting:
        (x, y), heading, radius = waiting.pop()
        length = 5 * radius + rng.uniform(0.02, 0.07)
        heading += rng.normal(0, 0.2)
        end = x + length * math.cos(heading), y + length * math.sin(heading)
        stroke(target, (x, y), end, (radius, 0.8 * radius), strength=_visible(radius))
        if radius < 0.003 or rng.uniform() < 0.16:
            continue
        waiting.append((end, heading + rng.normal(0, 0.15), radius * rng.uniform(0.68, 0.85)))
        if rng.uniform() < 0.6:
            fork = rng.choice((-1, 1)) * rng.uniform(0.4, 1.0)
            waiting.append((end, heading + fork, radius * rng.uniform(0.45, 0.7)))


def _visible(radius: float) -> float:
    """How bright a vessel is: the thin ones fill only part of the thickness of the slice."""
    return min(1.0, 0.22 + 55 * radius)


def _add_dots(target: Field, anatomy: Anatomy, side: int, rng: np.random.Generator) -> None:
    """Draw vessels that run through the slice: dots, finer towards the pleura."""
    for _ in range(55):
        away, angle = rng.uniform(0.08, 0.95) ** 0.7, rng.uniform(-1.4, 1.4)
        x, y = 0.14 + 0.55 * away * math.cos(angle), 0.02 + 0.5 * away * math.sin(angle)
        centre = place(anatomy, side * x, y)
        radius = max(0.002, 0.0105 * (1 - away) * rng.uniform(0.5, 1.3) + 0.0022)
        end = centre[0] + rng.normal(0, radius), centre[1] + rng.normal(0, radius)
        stroke(target, centre, end, (radius, radius), strength=_visible(1.4 * radius))


def _scan(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.int16]:
    """Blur and add noise as a scanner does, less in smaller pictures; int16 in [-1024, 3071] HU."""
    scale = canvas.size / 512
    values = blur(canvas.values, sigma=0.75 * scale) if scale > 0.5 else canvas.values
    grain = rng.standard_normal(values.shape, dtype=np.float32)
    noise = 38 * blur(grain, sigma=0.7) if scale > 0.5 else 12 * grain
    return np.asarray(np.rint(np.clip(values + noise, -1024, 3071)), dtype=np.int16)
