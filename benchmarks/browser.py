"""Time a slice in the browser: the static page's own engine, in Debian's Chromium, on phantoms.

    python benchmarks/browser.py [--slices 30]

Needs Playwright, Chromium and what scripts/vendor fetches. One thread, as on a host that sends no isolating
headers, and as many as the browser takes with them; and the same graph on the same files in Python, on one
thread. Prints how long the model takes to start, the median time from one answer to the next (decoding, model
and gate), and how many times Python's that is.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from browsers import Handler, launching, serving
from covidct.apps.web.static_app import write_web_app
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from makers import ct_dataset, dicom_bytes, png_bytes

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
MEASURE = """async (files) => {
  const { LocalEngine } = await import('./local/engine.js');
  const engine = new LocalEngine();
  const config = await engine.open();
  const begun = performance.now();
  await engine.load(() => {});
  const start = performance.now() - begun;
  const toFile = ([name, data]) => ({
    path: name,
    isFromFolder: false,
    file: new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name),
  });
  const given = Object.entries(files).map(toFile);
  const times = [];
  let last = null;
  await engine.predict(given, { point: config.operating_points[0] }, (event) => {
    if (!event.answer) return;
    if (last !== null) times.push(performance.now() - last);
    last = performance.now();
  });
  times.sort((one, other) => one - other);
  const cores = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  return { start, slice: times[times.length >> 1], cores };
}"""


class Isolating(Handler):
    """A host that lets the page use several threads."""

    def end_headers(self) -> None:
        """The usual headers, and the two that isolate."""
        for name, value in ISOLATED.items():
            self.send_header(name, value)
        super().end_headers()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=30)
    options = parser.parse_args()
    print(f"{'512 x 512':28}{'start, s':>10}{'a slice, ms':>14}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        write_web_app(folder)
        for kind in ("png", "dcm"):
            files = make_files(kind, options.slices)
            python = measure_python(files, Path(scratch))
            show(f"{kind}, Python, 1 thread", python, python)
            for handler in (Handler, Isolating):
                found = measure(folder, files, handler)
                show(f"{kind}, page, {found['cores']} thread(s)", found, python)


def show(what: str, found: dict[str, Any], python: dict[str, Any]) -> None:
    """Print a row."""
    ratio = found["slice"] / python["slice"]
    print(f"{what:28}{found['start'] / 1000:>10.2f}{found['slice']:>14.0f}{ratio:>8.1f}", flush=True)


def measure_python(files: dict[str, str], scratch: Path) -> dict[str, Any]:
    """What Python takes for the files with the float graph, one after the other, in ms."""
    begun = time.perf_counter()
    classifier = Classifier.load(precision="float", threads=1)
    start = time.perf_counter() - begun
    times = []
    for name, data in files.items():
        (scratch / name).write_bytes(base64.b64decode(data))
        begun = time.perf_counter()
        classifier.predict(scratch / name)
        times.append(time.perf_counter() - begun)
    return {"start": 1000 * start, "slice": 1000 * median(times), "cores": 1}


def measure(folder: Path, files: dict[str, str], handler: type[Handler]) -> dict[str, Any]:
    """What the engine of a page takes for the files."""
    with launching() as browser, serving(folder, handler=handler) as address:
        page = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(600_000)
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        found: dict[str, Any] = page.evaluate(MEASURE, files)
        return found


def make_files(kind: str, count: int) -> dict[str, str]:
    """Phantoms, base64, each a series of its own."""
    hu = [draw_phantom(Phantom.LESIONS, seed=seed) for seed in range(3)]
    files = {}
    for at in range(count):
        one = hu[at % len(hu)]
        tags = {"SOPInstanceUID": f"1.2.{at + 1}", "SeriesInstanceUID": f"1.3.{at + 1}"}
        data = png_bytes(to_display(one)) if kind == "png" else dicom_bytes(ct_dataset(one, **tags))
        files[f"{at:03}.{kind}"] = base64.b64encode(data).decode()
    return files


if __name__ == "__main__":
    main()
