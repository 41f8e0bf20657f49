"""How surely copies are found, how often two patients are taken for one picture, and how long it takes.

    python studies/duplicates.py [--data MANIFEST.csv] [--pairs 200] [--size 10000]

Recall by what was done to the copy, with exact 95 % intervals: each kind is searched in a set of its own, all
originals and the copies of some of them. Originals are phantoms of 256 pixels, or the slices of a manifest.
False pairs are copies among the originals themselves: of phantoms all are false; of a manifest those whose
patients or sources are known to differ. Beside it, in the same run, ImageHash's phash at the usual Hamming
distance of 10 where that package is installed. The time is of `--size` phantoms drawn at 96 pixels, each with
a seed of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from covidct.audit.file_facts import Facts
from covidct.audit.probes.features import Features
from covidct.audit.sample import THUMBNAIL, Sample
from covidct.audit.similarity.matches import Likeness
from covidct.audit.similarity.search import find_matches
from covidct.data.manifest import Row, read_manifest
from covidct.errors import ReadError
from covidct.images.decoding.cores import count_cores
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.images.read import read_slice
from covidct.stats.estimate import exact_interval
from covidct.types import Pixels

HAMMING = 10
Pairs = set[tuple[int, int]]
Change = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Original:
    """A picture, and the patient it is known to be of ("" where that is not known)."""

    pixels: Pixels = field(repr=False)
    source: str
    patient: str

    def is_other(self, other: Original) -> bool:
        """Whether it is known to be of another patient."""
        known = bool(self.patient and other.patient) and self.patient != other.patient
        return known or self.source != other.source


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--originals", type=int, default=1000, help="how many phantoms")
    parser.add_argument("--size", type=int, default=10_000, help="slices to time; 0 times none")
    options = parser.parse_args()
    originals = read(options.data) if options.data else draw(options.originals)
    searches: dict[str, Callable[[Sequence[Pixels]], Pairs]] = {"covidct": search}
    with contextlib.suppress(ImportError):
        importlib.import_module("imagehash")
        searches["phash"] = search_hashes
    report_recall(originals, searches, options.pairs)
    report_false(originals, searches)
    if options.size:
        report_time(options.size)


def read(path: Path) -> list[Original]:
    """Every slice of a manifest that has a label and can be read, but what is marked `ood`."""
    originals = []
    for row in read_manifest(path).rows:
        if row.label and row.label != "ood":
            with contextlib.suppress(ReadError):
                originals.append(Original(read_slice(row.path).pixels, row.source, row.patient_id))
    return originals


def draw(count: int, *, size: int = 256, first: int = 0) -> list[Original]:
    """Phantoms, each a patient of its own; every second one has lesions."""
    with ProcessPoolExecutor(count_cores()) as processes:
        seeds = range(first, first + count)
        pictures = processes.map(draw_one, seeds, [size] * count, chunksize=50)
        return [Original(pixels, "phantom", f"{seed}") for seed, pixels in zip(seeds, pictures, strict=True)]


def draw_one(seed: int, size: int) -> Pixels:
    """One phantom through the lung window."""
    kind = Phantom.LESIONS if seed % 2 else Phantom.NORMAL
    return to_display(draw_phantom(kind, seed=seed, size=size))


def search(pictures: Sequence[Pixels]) -> Pairs:
    """Pairs that `find_matches` calls copies or identical."""
    matches = find_matches([to_sample(pixels, at) for at, pixels in enumerate(pictures)])
    return {(one.first, one.second) for one in matches if one.likeness is not Likeness.NEIGHBOUR}


def to_sample(pixels: Pixels, at: int) -> Sample:
    """What the search needs of a picture, made as `read_samples` makes it."""
    side = (THUMBNAIL, THUMBNAIL)
    return Sample(
        row=Row(Path(f"{at}.png"), "", "", "", "", ""),
        name=f"{at}.png",
        label=0,
        facts=cast(Facts, None),
        digest=hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest(),
        thumbnail=np.asarray(cv2.resize(pixels, side, interpolation=cv2.INTER_AREA), np.uint8),
        features=cast(Features, None),
    )


def search_hashes(pictures: Sequence[Pixels]) -> Pairs:
    """Pairs whose perceptual hashes differ in at most ten of 64 bits."""
    phash: Any = importlib.import_module("imagehash").phash
    bits = np.stack([phash(Image.fromarray(pixels)).hash.ravel() for pixels in pictures])
    signs = np.where(bits, 1, -1).astype(np.float32)
    return {
        (at, at + 1 + int(offset))
        for at in range(len(signs))
        for offset in np.flatnonzero((64 - signs[at + 1 :] @ signs[at]) / 2 <= HAMMING)
    }


def report_recall(
    originals: Sequence[Original],
    searches: dict[str, Callable[[Sequence[Pixels]], Pairs]],
    pairs: int,
) -> None:
    """A line for each change."""
    print(f"recall of {pairs} copies among {len(originals)} originals, exact 95 % intervals\n")
    print(f"{'':24}" + "".join(f"{name:>20}" for name in searches))
    for name, change in CHANGES.items():
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(originals), min(pairs, len(originals)), replace=False).tolist()
        pictures = [one.pixels for one in originals]
        pictures += [change(originals[at].pixels, rng) for at in chosen]
        wanted = {(at, len(originals) + place) for place, at in enumerate(chosen)}
        cells = [rate(len(wanted & quiet(find, pictures)), len(wanted)) for find in searches.values()]
        print(f"{name:24}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def rate(found: int, n: int) -> str:
    """`0.985 (0.957-0.997)`."""
    low, high = exact_interval(found, n)
    return f"{found / n:.3f} ({low:.3f}-{high:.3f})"


def report_false(
    originals: Sequence[Original], searches: dict[str, Callable[[Sequence[Pixels]], Pairs]]
) -> None:
    """Pairs among the originals that are called copies though their patients differ."""
    n = len(originals)
    print(f"\namong {n} originals called copies, in all; of two patients; those for 10,000 images")
    for name, find in searches.items():
        found = quiet(find, [one.pixels for one in originals])
        false = sum(originals[first].is_other(originals[second]) for first, second in found)
        # Pairs grow as the square of the images.
        print(f"{name:24}{len(found):8}{false:8}{false * (10_000 / n) ** 2:12.0f}")


def report_time(size: int) -> None:
    """Seconds for a large set of thumbnails."""
    pictures = [one.pixels for one in draw(size, size=THUMBNAIL, first=1_000_000)]
    started = time.perf_counter()
    found = quiet(search, pictures)
    seconds = time.perf_counter() - started
    print(
        f"\n{size} thumbnails (phantoms drawn at {THUMBNAIL} pixels) in {seconds:.0f} s on {count_cores()} "
        f"cores; {len(found)} false pairs"
    )


def quiet(find: Callable[[Sequence[Pixels]], Pairs], pictures: Sequence[Pixels]) -> Pairs:
    """Search without progress bars."""
    with contextlib.redirect_stderr(io.StringIO()):
        return find(pictures)


def resize(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """To 40 to 75 % of its size."""
    factor = rng.uniform(0.4, 0.75)
    height, width = (max(1, round(side * factor)) for side in pixels.shape)
    return as_pixels(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def compress(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """As JPEG of quality 50."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=50)
    return as_pixels(Image.open(buffer))


def turn(pixels: Pixels, angle: float) -> Pixels:
    """By some degrees, black coming in at the corners."""
    return as_pixels(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR))


def turn_little(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """By 5 degrees, either way."""
    return turn(pixels, float(rng.choice((-5, 5))))


def mirror(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Left for right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def mirror_and_turn(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirrored, and turned by up to 15 degrees."""
    return turn(mirror(pixels, rng), rng.uniform(-15, 15))


def crop(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """To 80 % of its width and height, anywhere."""
    height, width = (round(0.8 * side) for side in pixels.shape)
    y, x = (
        int(rng.integers(0, whole - part + 1))
        for whole, part in zip(pixels.shape, (height, width), strict=True)
    )
    return pixels[y : y + height, x : x + width].copy()


def crop_and_compress(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cropped, then as JPEG."""
    return compress(crop(pixels, rng), rng)


def rewindow(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Other brightness, contrast and gamma."""
    gamma, gain, shift = rng.uniform(0.7, 1.4), rng.uniform(0.8, 1.3), rng.uniform(-20, 20)
    grey = (255 * (pixels / 255.0) ** gamma - 128) * gain + 128 + shift
    return np.clip(grey, 0, 255).astype(np.uint8)


def draw_arrows(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """One to four arrows, as in figures of papers."""
    drawn = pixels.copy()
    height, width = pixels.shape
    for _ in range(int(rng.integers(1, 5))):
        x, y = int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.8) * height)
        angle, length = rng.uniform(0, 2 * np.pi), 0.1 * width
        tail = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        colour = int(rng.choice((0, 255)))
        cv2.arrowedLine(drawn, tail, (x, y), colour, max(2, width // 100), tipLength=0.4)
    return drawn


def as_pixels(image: Image.Image) -> Pixels:
    """Grey levels (H, W) uint8."""
    return np.asarray(image, np.uint8)


CHANGES: dict[str, Change] = {
    "resized to 40-75 %": resize,
    "JPEG, quality 50": compress,
    "turned 5 degrees": turn_little,
    "mirrored": mirror,
    "cropped to 80 %": crop,
    "cropped, JPEG": crop_and_compress,
    "mirrored, turned to 15": mirror_and_turn,
    "other window": rewindow,
    "arrows": draw_arrows,
}


if __name__ == "__main__":
    main()
