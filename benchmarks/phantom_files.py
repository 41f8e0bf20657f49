"""Synthetic slices of 512 x 512 in files: one picture, and series, not compressed or in JPEG 2000."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from makers import transcode
from stacks import SERIES, save, stack

DRAWN = 6  # chests, drawn once and used again: drawing takes longer than answering


def write_picture(path: Path) -> Path:
    """One slice of 512 x 512 as PNG, with lesions."""
    Image.fromarray(to_display(draw_phantom(Phantom.LESIONS))).save(path)
    return path


def write_series(folder: Path, count: int) -> Path:
    """A series of 1 mm, not compressed, lesions in its middle third."""
    kinds = (Phantom.NORMAL, Phantom.LESIONS)
    drawn = {kind: [draw_phantom(kind, seed=seed) for seed in range(DRAWN)] for kind in kinds}
    third = range(count // 3, 2 * count // 3)
    for at in range(count):
        hu = drawn[Phantom.LESIONS if at in third else Phantom.NORMAL][at % DRAWN]
        tags: dict[str, Any] = {"SOPInstanceUID": f"{SERIES}.{at + 1}", "InstanceNumber": at + 1}
        save(folder, stack([hu], spacing=1.0, origin=(-180.0, -180.0, float(at)), **tags), [f"{at:04}.dcm"])
    return folder


def compress_series(folder: Path, source: Path) -> Path:
    """The series of `source` in lossless JPEG 2000. Each chest is compressed once."""
    folder.mkdir()
    pixels: dict[bytes, Any] = {}
    for path in sorted(source.iterdir()):
        dataset = dcmread(path)
        key = dataset.PixelData
        if key not in pixels:
            pixels[key] = dcmread(transcode(path, folder / path.name, "JPEG2000Lossless"))
            continue
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.PixelData = pixels[key].PixelData
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(folder / path.name)
    return folder
