"""Imports point down, heavy libraries have one home each, and nothing prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "covidct"
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
# Modules or folders (with a slash) that may import a library. Everything else may not.
# (`dicom` and what reads series import PIL for the order alone: before gdcm.)
HOMES = {
    "torch": {"train/"},
    "safetensors": {"train/"},
    "onnx": {"train/"},
    "onnxscript": {"train/"},
    "onnxruntime": {"session.py", "train/export.py"},
    "pydicom": {
        "dicom.py",
        "dicom_header.py",
        "describing.py",
        "enhanced.py",
        "dicomdir.py",
        "nifti.py",
        "dicom_subject.py",
        "dicom_sr.py",
        "dicom_sc.py",
        "dicom_seg.py",
        "audit/facts.py",
        "apps/node_receive.py",
        "apps/node_send.py",
        "apps/dicomweb.py",
    },
    "nibabel": {"nifti.py"},
    "highdicom": {"dicom_sr.py", "dicom_sc.py", "dicom_seg.py"},
    "pynetdicom": {"apps/node.py", "apps/node_receive.py", "apps/node_send.py"},
    "dicomweb_client": {"apps/dicomweb.py"},
    "requests": {"apps/dicomweb.py"},
    "gdcm": {"dicom.py", "codestream.py"},
    "starlette": {"apps/"},
    "uvicorn": {"apps/serving.py"},
    "prometheus_client": {"apps/counters.py"},
    "PIL": {
        "png.py",
        "raster.py",
        "explain.py",
        "montage.py",
        "contact_sheet.py",
        "dicom.py",
        "describing.py",
        "dicomdir.py",
        "enhanced.py",
        "nifti.py",
        "train/augment.py",
        "train/data.py",
        "train/offline.py",
        "train/masks.py",
        "train/paste.py",
        "train/failures.py",
        "train/strangers.py",
        "train/volumes.py",
        "train/pointing.py",
        "train/renders.py",
        "audit/",
    },
    "sklearn": {"metrics.py", "train/", "audit/"},
    "scipy": {"metrics.py", "train/", "audit/"},
    "cv2": {"audit/"},
    "threadpoolctl": {"audit/similar.py"},
    "jinja2": {"audit/page.py", "report_page.py"},
    "markupsafe": {"audit/page.py", "report_page.py"},
    "matplotlib": {
        "train/plots.py",
        "train/panels.py",
        "train/mistakes.py",
        "train/forest.py",
        "train/sheets.py",
        "audit/charts.py",
    },
    "click": {"apps/", "train/", "audit/"},
}
LIGHT = {"numpy", "covidct"}
# What belongs to the extra `train`; `metrics` is of the core, but needs it.
UPPER = {"train": {"train", "metrics"}, "audit": {"audit"}, "apps": {"apps"}}


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, at its top or later; with what `from` takes from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(path: Path) -> set[str]:
    """First parts under covidct of what a module imports: `train`, `types` ..."""
    dotted = (name.split(".") for name in imports(path))
    return {parts[1] for parts in dotted if parts[0] == "covidct" and len(parts) > 1}


def is_home(name: str, homes: set[str]) -> bool:
    return any(name.startswith(home) if home.endswith("/") else name == home for home in homes)


def layer(name: str) -> str:
    return name.partition("/")[0] if "/" in name else "core"


@pytest.mark.parametrize("name", MODULES)
def test_heavy_libraries_stay_at_home(name: str) -> None:
    libraries = (
        {dotted.partition(".")[0] for dotted in imports(MODULES[name])} - sys.stdlib_module_names - LIGHT
    )
    assert libraries <= set(HOMES), "a library without a home: give it one in HOMES"
    assert not {library for library in libraries if not is_home(name, HOMES[library])}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    match layer(name):
        case "core":
            above = {"train", "audit", "apps"} | (set() if name == "metrics.py" else {"metrics"})
        case "train" | "audit":
            above = {"apps"}
        case _:
            above = set()
    assert not own(MODULES[name]) & above


def test_there_are_no_cycles() -> None:
    """Among the modules of the core, imports inside functions included."""
    core = {name.removesuffix(".py"): own(path) for name, path in MODULES.items() if layer(name) == "core"}
    core.pop("__init__")  # its imports are all lazy, and it is every module's parent
    while core:
        leaves = {name for name, needs in core.items() if not needs & set(core)}
        assert leaves, f"a cycle among {', '.join(sorted(core))}"
        core = {name: needs for name, needs in core.items() if name not in leaves}


@pytest.mark.parametrize("name", MODULES)
def test_nothing_prints(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "input", "breakpoint", "exec", "eval"}


@pytest.mark.parametrize("name", MODULES)
def test_no_pickle(name: str) -> None:
    risky = {"pickle", "shelve", "marshal", "dill", "joblib"}
    assert not {dotted.partition(".")[0] for dotted in imports(MODULES[name])} & risky


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import covidct; covidct.__version__", {"torch", "onnxruntime", "numpy", "PIL", "pydicom"}),
        ("import covidct; covidct.Result", {"torch", "onnxruntime", "PIL", "pydicom"}),
        ("import covidct; covidct.Classifier", {"torch", "onnx", "pydicom", "sklearn", "scipy", "click"}),
        ("import covidct.apps.cli", {"torch", "onnxruntime", "PIL", "pydicom", "sklearn"}),
    ],
)
def test_importing_costs_no_more_than_it_needs(code: str, unwanted: set[str]) -> None:
    code = f"import sys; {code}; print(*sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
