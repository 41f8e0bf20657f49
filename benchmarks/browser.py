"""Time a series in the browser: the static page's own engine, in Debian's Chromium, on phantoms.

    python benchmarks/browser.py [--slices 30] [--runs 3] [--cores 1 2] [--kinds png raw j2k]

Needs Playwright, Chromium and what scripts/vendor fetches. A series as PNG, raw DICOM and JPEG 2000 files
on the disk, given to a new page on so many cores, and to Python on one thread, in turn. Prints medians over
the runs, with the lowest and the highest: seconds from the files to the first slice answered (the model is
fetched and started meanwhile); once more, with the model started, seconds to the provisional answer (none for
pictures, and for series of 16 slices or fewer) and milliseconds a slice of all of them (sorting, reading,
model and gate); how many times Python's that is; and the most memory that the page's process took.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from pydicom import dcmread
from pydicom.uid import UID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from covidct.apps.web.static_app import write_web_app
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from makers import ct_dataset, dicom_bytes, png_bytes, transcode
from services.browsers import launching, serving

KINDS = ("png", "raw", "j2k")
ROW = "{:18}{:>20}{:>20}{:>22}{:>8}{:>10}"
FIELD = """() => document.body.append(Object.assign(document.createElement('input'),
  { type: 'file', id: 'bench', multiple: true }))"""
MEASURE = """async () => {
  const { LocalEngine } = await import('./engine/local/engine.js');
  const files = [...document.getElementById('bench').files];
  const given = files.map((file) => ({ file, path: file.name, isFromFolder: false }));
  const engine = new LocalEngine();
  const config = await engine.open();
  const run = async () => {
    const begun = performance.now();
    let [first, outlook] = [null, null];
    await engine.predict(given, { point: config.operating_points[0] }, (event) => {
      if (event.answer) first ??= performance.now() - begun;
      if (event.outlook) outlook ??= performance.now() - begun;
    });
    return { first, outlook, all: performance.now() - begun };
  };
  const { first } = await run();
  const { outlook, all } = await run();
  return { first: first / 1000, outlook: outlook && outlook / 1000, slice: all / files.length };
}"""


@dataclass(frozen=True)
class Timed:
    """Seconds to the first slice and to the provisional answer, milliseconds a slice, and megabytes.

    The second and the last are None where there is none, or it is not asked for.
    """

    first: float
    slice: float
    outlook: float | None = None
    megabytes: float | None = None


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    found: dict[tuple[str, str], list[Timed]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        app = Path(scratch) / "app"
        write_web_app(app)
        series = {kind: write_series(Path(scratch) / kind, kind, options.slices) for kind in options.kinds}
        for _ in range(options.runs):
            for kind, paths in series.items():
                found[kind, "Python"].append(measure_python(paths))
                for cores in options.cores:
                    found[kind, f"page, {cores} core(s)"].append(measure_page(app, paths, cores))
    show(found)


def show(found: dict[tuple[str, str], list[Timed]]) -> None:
    """Print a row a kind of file and a way to read it."""
    print(ROW.format("512 x 512", "first slice, s", "provisional, s", "a slice, ms", "ratio", "MB"))
    for (kind, way), timed in found.items():
        python = median(one.slice for one in found[kind, "Python"])
        sizes = [one.megabytes for one in timed if one.megabytes is not None]
        outlooks = [one.outlook for one in timed if one.outlook is not None]
        each = [one.slice for one in timed]
        print(
            ROW.format(
                f"{kind}, {way}",
                spread([one.first for one in timed], 2),
                spread(outlooks, 2) if outlooks else "",
                spread(each, 0),
                f"{median(each) / python:.1f}",
                f"{max(sizes):.0f}" if sizes else "",
            )
        )


def spread(values: Sequence[float], digits: int) -> str:
    """The median, with the lowest and the highest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def measure_python(paths: Sequence[Path]) -> Timed:
    """What Python takes with the float graph on one thread, slice after slice."""
    begun = time.perf_counter()
    classifier = Classifier.load(precision="float", threads=1)
    classifier.predict(paths[0])
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    for path in paths:
        classifier.predict(path)
    return Timed(first, 1000 * (time.perf_counter() - begun) / len(paths))


def measure_page(app: Path, paths: Sequence[Path], cores: int) -> Timed:
    """What a new page takes in a browser that has so many cores, of those that this process may use."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(mine)[:cores]))
    try:
        with launching() as browser, serving(app) as address:
            page = browser.new_context(service_workers="block").new_page()
            page.set_default_timeout(600_000)
            page.goto(address)
            page.wait_for_selector("html[data-ready]")
            page.evaluate(FIELD)
            page.set_input_files("#bench", list(paths))
            times: dict[str, Any] = page.evaluate(MEASURE)
            return Timed(times["first"], times["slice"], times["outlook"], max(find_peaks()))
    finally:
        os.sched_setaffinity(0, mine)


def find_peaks() -> Iterator[float]:
    """The most megabytes that each page's process of a browser started here has held."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" in (folder / "cmdline").read_bytes() and is_ours(folder):
                yield float(read_status(folder)["VmHWM"].split()[0]) / 1024
        except (OSError, KeyError):  # it has ended
            continue


def is_ours(folder: Path) -> bool:
    """Whether a process descends from this one."""
    parent = int(read_status(folder)["PPid"])
    return parent == os.getpid() or (parent > 1 and is_ours(Path("/proc") / str(parent)))


def read_status(folder: Path) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = (folder / "status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":", 1) for line in lines)


def write_series(folder: Path, kind: str, count: int) -> list[Path]:
    """Phantoms as one series of DICOM files, or as PNG."""
    folder.mkdir()
    drawn = [draw_file(folder / f"drawn{seed}", kind, seed) for seed in range(3)]
    paths = [folder / f"{at:03}" for at in range(count)]
    for at, path in enumerate(paths):
        data = drawn[at % len(drawn)]
        path.write_bytes(data if kind == "png" else place(data, at))
    return paths


def draw_file(path: Path, kind: str, seed: int) -> bytes:
    """A phantom as a file: once each, as JPEG 2000 takes longer to write than to time."""
    hu = draw_phantom(Phantom.LESIONS, seed=seed)
    path.write_bytes(png_bytes(to_display(hu)) if kind == "png" else dicom_bytes(ct_dataset(hu)))
    if kind == "j2k":
        transcode(path, path, "JPEG2000Lossless")
    data = path.read_bytes()
    path.unlink()
    return data


def place(data: bytes, at: int) -> bytes:
    """A DICOM file as the slice of a series at a place."""
    dataset = dcmread(BytesIO(data))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.{at + 1}")
    dataset.ImagePositionPatient = [0, 0, at]
    return dicom_bytes(dataset)


if __name__ == "__main__":
    main()
