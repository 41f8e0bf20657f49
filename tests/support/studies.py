"""Studies of phantoms, stored in the ways that studies are."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stacks import UPRIGHT, save, stack, volume

SLICES = volume(6)


def shuffled(folder: Path) -> list[Path]:
    names = [f"x{at}.dcm" for at in range(6)]
    random.Random(1).shuffle(names)
    return [save(folder, stack(SLICES), names)]


def backwards(folder: Path) -> list[Path]:
    return [save(folder, stack(SLICES)[::-1], [f"{at}.dcm" for at in range(6)])]


def halves(folder: Path) -> list[Path]:
    datasets = stack(SLICES)
    return [save(folder / "a", datasets[::2]), save(folder / "b" / "c", datasets[1::2])]


def singly(folder: Path) -> list[Path]:
    return sorted(save(folder, stack(SLICES)).iterdir())


def zipped(folder: Path) -> list[Path]:
    save(folder / "deep" / "er", stack(SLICES))
    return [Path(shutil.make_archive(str(folder.with_name("packed")), "zip", folder))]


def rotated(angle: float) -> Callable[[Path], list[Path]]:
    """The whole patient turned about the x axis, as a tilted gantry does."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return lambda folder: [save(folder, stack(SLICES, orientation=(1, 0, 0, 0, cos, sin)))]


def stored_turned(quarters: int) -> Callable[[Path], list[Path]]:
    """Pixels turned by quarters, and the orientation with them."""
    row, column = np.array(UPRIGHT[:3]), np.array(UPRIGHT[3:])
    for _ in range(quarters):
        row, column = column, -row
    orientation = (*row, *column)
    return lambda folder: [
        save(folder, stack([np.rot90(hu, quarters) for hu in SLICES], orientation=orientation))
    ]
