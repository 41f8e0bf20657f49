"""What tests train with: a manifest of small phantoms, and a recipe that takes seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from covidct.data.manifest import DataPlan
from covidct.data.recipe import Augmentation, Phase, Recipe
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom, draw_slice
from makers import write_png

SOURCES = ("north", "south")
# The augmentation that leaves every slice as it is.
NOTHING = Augmentation(
    rotation=0,
    flip=0,
    scale=(1, 1),
    aspect=0,
    shift=0,
    window=0,
    gamma=0,
    field_of_view=0,
    resolution=0,
    noise=0,
    jpeg=0,
    marks=0,
    boxes=0,
    pastes=0,
)


def write_phantoms(folder: Path, *, patients: int = 6, size: int = 64) -> Path:
    """Two slices a patient, half of the patients with lesions, in two sources; returns the manifest."""
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "source", "patient_id", "split", "note"))
        for source in SOURCES:
            for number in range(2 * patients):
                kind, label = ((Phantom.NORMAL, "non-covid"), (Phantom.LESIONS, "covid"))[number % 2]
                for place in range(2):
                    seed = 100 * SOURCES.index(source) + 2 * number + place
                    name = f"{source}-{number}-{place}.png"
                    write_png(folder / name, to_display(draw_phantom(kind, seed=seed, size=size)))
                    writer.writerow((name, label, source, f"patient-{number}", "", ""))
    return manifest


def write_lungs(folder: Path, *, patients: int = 6, size: int = 64) -> Path:
    """As `write_phantoms`, with a lung mask beside every slice; returns the manifest."""
    (folder / "image").mkdir()
    (folder / "lung").mkdir()
    manifest = write_phantoms(folder / "image", patients=patients, size=size)
    for source in SOURCES:
        for number in range(2 * patients):
            kind = (Phantom.NORMAL, Phantom.LESIONS)[number % 2]
            for place in range(2):
                seed = 100 * SOURCES.index(source) + 2 * number + place
                lungs = draw_slice(kind, seed=seed, size=size).lung_mask
                write_png(folder / "lung" / f"{source}-{number}-{place}.png", lungs * np.uint8(255))
    return manifest


def tiny_recipe() -> Recipe:
    """Two short phases, from random weights."""
    return Recipe(
        name="tiny",
        network="mobilenet_v2",
        pretrained=False,
        phases=(Phase("frozen", 1, 1e-3, freeze=True), Phase("unfrozen", 1, 1e-3)),
        size=32,
        batch=4,
        data=DataPlan(tune=0.3, calibrate=0.2),
    )
