"""`covidct web-app`: the static folder in which a browser runs the model, with no server behind it.

Copies the page, the libraries that `scripts/vendor` fetched, the float graph and what of the bundle's
configuration decides. Names every file for the service worker, which keeps them for good. Knows nothing of
what the page does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from covidct.apps.web.model_facts import to_facts
from covidct.errors import VendorError
from covidct.images.scratch import open_scratch
from covidct.inference.bundle import Bundle, load_bundle
from covidct.inference.classifier import find_min_probability
from covidct.inference.session import Session
from covidct.types import Precision

PAGE = Path(__file__).parent / "page"
VENDORED = PAGE / "vendored"
MARK = "web-app.json"  # tells a folder that was written here from one that holds something else
PRECISION: Precision = "float"  # int8 is slower in a browser
RUNTIME = "onnxruntime.wasm"
WORKER = "sw.js"
VERSION = 'const VERSION = "{}";'
ENGINE = '<meta name="covidct-engine" content="{}">'


def write_web_app(out: Path, *, model: Path | None = None, vendored: Path | None = None) -> int:
    """Write the folder `out`, in place of an earlier one; gives the bytes of a first visit.

    Raises BundleError, VendorError where libraries are missing or not what they were, FileExistsError
    where `out` holds something else, OSError.
    """
    bundle = load_bundle(model)
    libraries = vendored or VENDORED
    _check_vendored(libraries)
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise FileExistsError(f"{out}: holds something else; name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, then renamed: an interrupted run leaves nothing half-written.
    with open_scratch(out.parent) as scratch:
        folder = scratch / "app"
        size = _fill(folder, bundle, libraries)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return size


def to_model_table(bundle: Bundle) -> dict[str, Any]:
    """What is known of a model and its float graph, and what of its configuration decides, as JSON values."""
    config = bundle.config
    lowest = find_min_probability(config, Session(bundle.graph(PRECISION)))
    return to_facts(bundle, PRECISION, min_probability=lowest) | {
        "window": list(config.window),
        "temperature": config.temperature,
        "shift": config.shift,
        "gate": asdict(config.gate) if config.gate else None,
        "keeps_to_lungs": config.keeps_to_lungs,
    }


def _fill(folder: Path, bundle: Bundle, libraries: Path) -> int:
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("vendored", "__pycache__", ".*"))
    shutil.copytree(libraries, folder / "vendored", ignore=shutil.ignore_patterns(RUNTIME))
    (folder / "model").mkdir()
    graph = bundle.graph(PRECISION)
    # Packed: 4 MB instead of 14, whatever the host does. Without a time, so that the same is the same.
    runtime = gzip.compress((libraries / RUNTIME).read_bytes(), mtime=0)
    (folder / "model" / "model.onnx").write_bytes(graph)
    (folder / "model" / "runtime.bin").write_bytes(runtime)
    assets = {"graph": _about(graph), "runtime": _about(runtime)}
    _write_json(folder / "model" / "model.json", to_model_table(bundle) | {"assets": assets})
    index = folder / "index.html"
    html = index.read_text(encoding="utf-8")
    index.write_text(html.replace(ENGINE.format("server"), ENGINE.format("local")), encoding="utf-8")
    return _write_list(folder)


def _write_list(folder: Path) -> int:
    """Name every file with its digest, for the service worker; gives their size together.

    The worker itself carries the version, as browsers look at its bytes alone to see that something is new.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    about = {path.relative_to(folder).as_posix(): _about(path.read_bytes()) for path in files}
    digests = {name: one["sha256"] for name, one in about.items() if name != WORKER}
    version = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]
    worker = (folder / WORKER).read_text(encoding="utf-8")
    (folder / WORKER).write_text(
        worker.replace(VERSION.format("unversioned"), VERSION.format(version)), encoding="utf-8"
    )
    _write_json(folder / MARK, {"version": version, "files": digests})
    return sum(int(one["size"]) for one in about.values())


def _check_vendored(libraries: Path) -> None:
    """Raise VendorError where a library is not what `scripts/vendor` wrote."""
    hint = (
        "in a clone of covidct run scripts/vendor (needs npm), then name its covidct/apps/web/page/vendored "
        "with --vendor, or install the clone again"
    )
    try:
        packages = json.loads((libraries / "vendored.json").read_bytes())["packages"]
        digests = {name: digest for package in packages for name, digest in package["files"].items()}
    except (OSError, ValueError, KeyError) as error:
        raise VendorError(f"{libraries}: holds no libraries for the page; {hint}") from error
    for name, digest in digests.items():
        path = libraries / Path(name).name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise VendorError(f"{path}: is missing or was changed; {hint}")


def _about(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
