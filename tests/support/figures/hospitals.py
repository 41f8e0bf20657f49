"""A hospital made in code, and a bundle to calibrate for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bundles import CONFIG_TABLE, write_tiny_bundle
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.inference.bundle import write_sums
from covidct.inference.config import CONFIG
from covidct.types import Pixels
from makers import phantom_hu, write_png
from training import tiny_recipe

SHOWN = to_display(phantom_hu(Phantom.NORMAL)) // 2
# What its slices are brighter by than the bundle was made for, in grey levels: 16 are one logit.
BRIGHTER = 80


def write_home_bundle(folder: Path, **training: Any) -> Path:
    """A tiny bundle with a recipe and the two usual operating points."""
    write_tiny_bundle(folder)
    points = [
        point | {"name": name} for point, name in zip(POINTS, ("balanced", "high_sensitivity"), strict=True)
    ]
    recorded = {"recipe": asdict(tiny_recipe()), "splits": {"train": {"home": [3, 4]}}} | training
    table = CONFIG_TABLE | {"operating_points": points, "training": recorded}
    (folder / CONFIG).write_text(json.dumps(table), encoding="utf-8")
    write_sums(folder)
    return folder


def write_hospital(
    folder: Path,
    *,
    patients: int = 24,
    brighter: int = BRIGHTER,
    source: str = "ward",
    more: tuple[str, ...] = (),
) -> Path:
    """Two slices a patient, every other with COVID-19 and some 30 grey levels brighter; the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    lines = ["path,label,source,patient_id,split"]
    for number in range(2 * patients):
        patient = number // 2
        ill = patient % 2
        level = int(np.clip(brighter + 30 * ill + random.normal(0, 12), 0, 128))
        write_png(folder / f"{number}.png", to_slice(level, random))
        lines.append(f"{number}.png,{('non-covid', 'covid')[ill]},{source},p{patient},")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")
    return manifest


def to_slice(level: int, random: np.random.Generator) -> Pixels:
    """The slice brighter by `level`, under a pattern of its own: it is no copy of another."""
    pattern = np.kron(80 * random.integers(0, 2, np.array(SHOWN.shape) // 4) - 40, np.ones((4, 4), int))
    return np.asarray(np.clip(SHOWN.astype(int) + level + pattern, 0, 255), np.uint8)


POINTS: list[dict[str, Any]] = CONFIG_TABLE["operating_points"]
