"""Packages import downwards, heavy libraries have one home each, folders stay small, and nothing prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "covidct"
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
# What a package may import of the others; every package may import `types` and `errors`.
BELOW = {
    "images": set(),
    "series": {"images"},
    "inference": {"images", "series"},
    "results": {"images", "series", "inference"},
    "data": {"images"},
    "stats": set(),
    "audit": {"images", "data", "stats"},
    "evaluation": {"images", "inference", "data", "stats", "audit"},
    "training": {"images", "inference", "data", "stats", "audit", "evaluation"},
    "apps/web": {"images", "series", "inference", "results"},
    "apps/pacs": {"images", "series", "inference", "results"},
    "apps/archive": {"images", "series", "inference", "results", "apps/pacs"},
    "apps/cli": {
        *("images", "series", "inference", "results"),
        *("data", "stats", "audit", "evaluation", "training", "apps/web", "apps/pacs", "apps/archive"),
    },
}
# Packages that may import a library. Everything else may not.
# (What reads DICOM imports PIL for the order alone: before gdcm.)
HOMES = {
    "torch": {"training"},
    "safetensors": {"training"},
    "onnx": {"training", "evaluation/examination"},
    "onnxscript": {"training"},
    "onnxruntime": {"inference", "training"},
    "pydicom": {"images", "series", "results/dicom", "audit", "apps/pacs"},
    "nibabel": {"series"},
    "highdicom": {"results/dicom"},
    "pynetdicom": {"apps/pacs"},
    "dicomweb_client": {"apps/pacs"},
    "requests": {"apps/pacs"},
    "urllib3": {"apps/pacs"},
    "ray": {"apps/archive"},
    "pyarrow": {"apps/archive"},
    "fsspec": {"apps/archive"},
    "gdcm": {"images"},
    "starlette": {"apps/web"},
    "uvicorn": {"apps/web"},
    "h11": {"apps/web"},
    "prometheus_client": {"apps/web"},
    "PIL": {"images", "series", "inference", "results", "data", "training", "evaluation", "audit"},
    "sklearn": {"stats", "training", "evaluation", "audit"},
    "scipy": {"stats", "training", "evaluation", "audit"},
    "cv2": {"audit"},
    "threadpoolctl": {"audit"},
    "jinja2": {"audit/report", "results", "training/report"},
    "markupsafe": {"audit/report", "results"},
    "matplotlib": {"training", "evaluation", "audit/report"},
    "click": {"apps", "data", "training", "evaluation", "audit"},
}
LIGHT = {"numpy", "covidct"}
# What an extra brings, and the packages that need it: their own tests may, no others.
EXTRAS = {
    "nifti": ({"nibabel"}, {"series", "apps/cli", "apps/web"}),
    "pacs": (
        {"highdicom", "pynetdicom", "dicomweb_client", "requests", "urllib3"},
        {"results/dicom", "apps/pacs", "apps/archive", "apps/cli"},
    ),
    "scale": ({"ray", "pyarrow", "fsspec"}, {"apps/archive", "apps/cli"}),
    "serve": ({"starlette", "uvicorn", "prometheus_client"}, {"apps/web", "apps/cli"}),
    "audit": (
        {"sklearn", "scipy", "cv2", "threadpoolctl", "matplotlib"},
        {"stats", "audit", "evaluation", "training", "apps/cli"},
    ),
    "train": ({"torch", "safetensors", "onnxscript"}, {"evaluation", "training", "apps/cli"}),
}
# The edges of the program, where one failure must not end all else: a library that reads a file, one item of
# many, the server, the node. Only here may everything be caught, each time with the reason.
EDGES = {
    "images/library_errors.py": 1,
    "images/decoding/process.py": 1,
    "inference/answerer.py": 1,
    "series/instances.py": 1,
    "apps/web/access_log.py": 1,
    "apps/web/worker.py": 1,
    "apps/pacs/dicomweb.py": 2,
    "apps/pacs/node.py": 2,
}
TESTS = Path(__file__).parent
SUPPORT = TESTS / "support"
MAX_FILES, MAX_ENTRIES, MAX_PARAMETERS = 20, 13, 8


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, at its top or later; with what `from` takes from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package(parts: Sequence[str]) -> str:
    """The package of a module by the parts of its name under covidct: `images`, `apps/web`, `types`."""
    return "/".join(parts[: 2 if parts[0] == "apps" else 1])


def own(path: Path) -> set[str]:
    """The packages of covidct that a module imports from."""
    dotted = (name.split(".")[1:] for name in imports(path) if name.startswith("covidct."))
    return {package(parts) for parts in dotted} - {"__version__"}


@pytest.mark.parametrize("name", MODULES)
def test_heavy_libraries_stay_at_home(name: str) -> None:
    libraries = (
        {dotted.partition(".")[0] for dotted in imports(MODULES[name])} - sys.stdlib_module_names - LIGHT
    )
    assert libraries <= set(HOMES), "a library without a home: give it one in HOMES"
    homeless = {one for one in libraries if not any(name.startswith(f"{home}/") for home in HOMES[one])}
    assert not homeless


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__init__.py")])
def test_packages_import_those_below_them(name: str) -> None:
    if "/" not in name:
        assert own(MODULES[name]) & set(BELOW) == ({"apps/cli"} if name == "__main__.py" else set())
        return
    mine = package(name.split("/"))
    assert own(MODULES[name]) <= BELOW[mine] | {mine, "types", "errors"}


def broad_excepts(path: Path) -> Iterator[str]:
    """The lines that catch everything and do not raise it again."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        named = {one.id for one in ast.walk(node.type or ast.Name("Exception")) if isinstance(one, ast.Name)}
        last = node.body[-1]
        is_raised = isinstance(last, ast.Raise) and last.exc is None
        if named & {"Exception", "BaseException"} and not is_raised:
            yield text.splitlines()[node.lineno - 1]


@pytest.mark.parametrize("name", MODULES)
def test_only_the_edges_catch_everything_and_say_why(name: str) -> None:
    found = list(broad_excepts(MODULES[name]))
    assert len(found) == EDGES.get(name, 0)
    assert all("# broad: " in line for line in found)


def imports_at_once(path: Path) -> Iterator[str]:
    """Dotted names of what a module imports as soon as it is imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reach(path: Path, seen: set[Path]) -> Iterator[str]:
    """The same, through all modules of ours that are imported so."""
    seen.add(path)
    for name in imports_at_once(path):
        yield name
        parts = name.split(".")
        places = (root.joinpath(*parts[:end]) for root in (SUPPORT, PACKAGE.parent) for end in (-1, None))
        for file in (place.with_suffix(".py") for place in places if place.name):
            if file.is_file() and file not in seen:
                yield from reach(file, seen)


@pytest.mark.parametrize(
    "name",
    [
        path.relative_to(TESTS).as_posix()
        for package in BELOW
        for path in sorted((TESTS / package).rglob("test_*.py"))
    ],
)
def test_a_packages_tests_need_only_its_extras(name: str) -> None:
    libraries = {dotted.partition(".")[0] for dotted in reach(TESTS / name, set())}
    for extra, (brought, homes) in EXTRAS.items():
        if not any(name.startswith(f"{home}/") for home in homes):
            assert not libraries & brought, f"the extra {extra!r} is not for these tests"


def test_packages_have_an_order() -> None:
    """So that no two of them can import each other, over however many others."""
    left = dict(BELOW)
    while left:
        leaves = {name for name, below in left.items() if not below & set(left)}
        assert leaves, f"a cycle among {', '.join(sorted(left))}"
        left = {name: below for name, below in left.items() if name not in leaves}


def test_modules_have_an_order() -> None:
    """Imports inside functions included."""
    needs = {
        name.removesuffix(".py").replace("/", "."): set(imports(path))
        for name, path in MODULES.items()
        if not name.endswith("__init__.py")
    }
    left = {
        name: {other for other in needs if other != name and uses(found, f"covidct.{other}")}
        for name, found in needs.items()
    }
    while left:
        leaves = {name for name, below in left.items() if not below & set(left)}
        assert leaves, f"a cycle among {', '.join(sorted(left))}"
        left = {name: below for name, below in left.items() if name not in leaves}


def uses(found: set[str], module: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in found)


def test_folders_stay_small() -> None:
    silent = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert sum(path.name not in silent for path in PACKAGE.iterdir()) <= MAX_ENTRIES
    roots = (PACKAGE, TESTS, ROOT / "studies", ROOT / "benchmarks")
    code = (path for root in roots for path in root.rglob("*") if path.suffix in (".py", ".js"))
    for folder in {path.parent for path in code} - {PACKAGE / "apps/web/page/vendored"}:
        assert sum(path.is_file() for path in folder.iterdir()) <= MAX_FILES, folder


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
def test_functions_take_few_parameters(name: str) -> None:
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            named = [one.arg for one in every if one.arg not in ("self", "cls")]
            assert len(named) <= MAX_PARAMETERS, f"line {node.lineno}: gather what belongs together"


def list_all_python() -> dict[str, Path]:
    """Every Python file of the repository by its path, scripts without an ending too."""
    folders = ("covidct", "tests", "studies", "benchmarks", "fuzz", "scripts")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    return {
        path.relative_to(ROOT).as_posix(): path
        for path in paths
        if path.suffix == ".py" or (path.parent.name == "scripts" and b"python3" in path.read_bytes()[:40])
    }


@pytest.mark.parametrize("name", ALL_PYTHON := list_all_python())
def test_no_pickle(name: str) -> None:
    risky = {"pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
    assert not {dotted.partition(".")[0] for dotted in imports(ALL_PYTHON[name])} & risky
    for node in ast.walk(ast.parse(ALL_PYTHON[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            called = ast.unparse(node.func)
            assert given.get("allow_pickle", "False") == "False"
            assert not called.endswith((".read_pickle", ".to_pickle"))
            if called in ("torch.load", "torch.hub.load_state_dict_from_url"):
                assert given.get("weights_only") == "True"


def test_no_file_is_a_pickle() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    endings = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npz")
    paths = listed.decode().split("\0")
    assert "covidct/model/model.onnx" in paths
    assert [path for path in paths if path.endswith(endings)] == []


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import covidct; covidct.__version__", {"torch", "onnxruntime", "numpy", "PIL", "pydicom"}),
        ("import covidct; covidct.Result", {"torch", "onnxruntime", "PIL", "pydicom"}),
        ("import covidct; covidct.Classifier", {"torch", "onnx", "pydicom", "sklearn", "scipy", "click"}),
        ("import covidct.apps.cli.main", {"torch", "onnxruntime", "PIL", "pydicom", "sklearn"}),
    ],
)
def test_importing_costs_no_more_than_it_needs(code: str, unwanted: set[str]) -> None:
    code = f"import sys; {code}; print(*sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
