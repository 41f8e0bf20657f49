"""The static folder: what is in it, and what keeps it from being written. No browser."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from covidct.apps.cli.main import main
from covidct.apps.web.static_app import MARK, PAGE, write_web_app
from covidct.errors import BundleError, VendorError
from covidct.inference.bundle import load_bundle

RUNTIME = b"\0asm, more or less"
MOST = 25e6  # bytes of a first visit


@pytest.fixture
def vendored(tmp_path: Path) -> Path:
    """Libraries as scripts/vendor leaves them, but for what is in them."""
    folder = tmp_path / "vendored"
    folder.mkdir()
    files = {"onnxruntime.wasm": RUNTIME, "zip.js": b"export {};\n"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    (folder / "vendored.json").write_text(json.dumps({"packages": [{"name": "x", "files": digests}]}))
    return folder


def test_the_folder_holds_what_its_list_says(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    out = tmp_path / "app"
    size = write_web_app(out, model=tiny_bundle, vendored=vendored)
    listed = json.loads((out / MARK).read_bytes())
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert size == pytest.approx(sum(len(data) for name, data in found.items() if name != MARK), abs=10)
    apart = (MARK, "sw.js")
    assert listed["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in found.items() if name not in apart
    }
    assert f'const VERSION = "{listed["version"]}";' in found["sw.js"].decode()
    assert {"index.html", "sw.js", "model/model.onnx", "engine/local/worker.js", "texts/fr.json"} <= set(
        found
    )
    assert found["model/model.onnx"] == load_bundle(tiny_bundle).graph("float")


def test_the_page_is_told_which_engine_runs(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    write_web_app(tmp_path / "app", model=tiny_bundle, vendored=vendored)
    mark = '<meta name="covidct-engine" content="{}">'
    assert mark.format("local") in (tmp_path / "app" / "index.html").read_text(encoding="utf-8")
    assert mark.format("server") in (PAGE / "index.html").read_text(encoding="utf-8")


def test_the_model_table_decides_as_the_bundle_does(
    tmp_path: Path, tiny_bundle: Path, vendored: Path
) -> None:
    write_web_app(tmp_path / "app", model=tiny_bundle, vendored=vendored)
    table = json.loads((tmp_path / "app" / "model" / "model.json").read_bytes())
    config = load_bundle(tiny_bundle).config
    assert (table["temperature"], table["shift"], table["prevalence"]) == (
        config.temperature, config.shift, config.prevalence,
    )  # fmt: skip
    assert [point["name"] for point in table["operating_points"]] == [
        point.name for point in config.operating_points
    ]
    graph = (tmp_path / "app" / "model" / "model.onnx").read_bytes()
    assert table["assets"]["graph"] == {"size": len(graph), "sha256": hashlib.sha256(graph).hexdigest()}


def test_the_same_is_written_twice(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    for name in ("one", "two"):
        write_web_app(tmp_path / name, model=tiny_bundle, vendored=vendored)
    assert (tmp_path / "one" / MARK).read_bytes() == (tmp_path / "two" / MARK).read_bytes()


def test_another_page_is_another_version(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    write_web_app(tmp_path / "one", model=tiny_bundle, vendored=vendored)
    library = vendored / "zip.js"
    library.write_bytes(b"export const other = 1;\n")
    about = (vendored / "vendored.json").read_text()
    old = hashlib.sha256(b"export {};\n").hexdigest()
    (vendored / "vendored.json").write_text(
        about.replace(old, hashlib.sha256(library.read_bytes()).hexdigest())
    )
    write_web_app(tmp_path / "two", model=tiny_bundle, vendored=vendored)
    # Browsers fetch a page anew only where the bytes of its worker are others.
    assert (tmp_path / "one" / "sw.js").read_bytes() != (tmp_path / "two" / "sw.js").read_bytes()


def test_an_earlier_folder_is_replaced_whole(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    out = tmp_path / "app"
    write_web_app(out, model=tiny_bundle, vendored=vendored)
    (out / "stale.js").write_text("old")
    write_web_app(out, model=tiny_bundle, vendored=vendored)
    assert not (out / "stale.js").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else"):
        write_web_app(tmp_path / "app", model=tiny_bundle, vendored=vendored)
    assert (tmp_path / "app" / "thesis.txt").read_text() == "mine"


def test_a_run_that_fails_leaves_nothing(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    out = tmp_path / "apps" / "app"
    (vendored / "onnxruntime.wasm").unlink()
    with pytest.raises(VendorError):
        write_web_app(out, model=tiny_bundle, vendored=vendored)
    assert not out.exists()


@pytest.mark.parametrize("change", ["missing", "changed", "no list", "no folder"])
def test_libraries_that_are_not_what_they_were_are_refused(
    tmp_path: Path, tiny_bundle: Path, vendored: Path, change: str
) -> None:
    if change == "missing":
        (vendored / "zip.js").unlink()
    elif change == "changed":
        (vendored / "zip.js").write_bytes(b"alert(1)")
    elif change == "no list":
        (vendored / "vendored.json").write_text("{}")
    else:
        vendored = tmp_path / "nowhere"
    with pytest.raises(VendorError, match="run scripts/vendor"):
        write_web_app(tmp_path / "app", model=tiny_bundle, vendored=vendored)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path, vendored: Path) -> None:
    with pytest.raises(BundleError):
        write_web_app(tmp_path / "app", model=vendored, vendored=vendored)


def test_the_command_says_where_and_how_much(tmp_path: Path, tiny_bundle: Path, vendored: Path) -> None:
    out = tmp_path / "app"
    options = ["--model", str(tiny_bundle), "--vendor", str(vendored)]
    done = CliRunner().invoke(main, ["web-app", str(out), *options])
    assert done.exit_code == 0, done.output
    assert f"{out}: " in done.stdout
    assert "not a medical device" in done.stderr
    failed = CliRunner().invoke(main, ["web-app", str(tmp_path / "other"), "--vendor", str(tmp_path)])
    assert failed.exit_code == 2
    assert "run scripts/vendor" in failed.stderr


def test_a_first_visit_is_small(web_app: Path) -> None:
    assert sum(path.stat().st_size for path in web_app.rglob("*") if path.is_file()) < MOST


def texts() -> dict[str, dict[str, str]]:
    return {path.stem: json.loads(path.read_bytes()) for path in (PAGE / "texts").glob("*.json")}


def test_every_language_says_the_same() -> None:
    all_texts = texts()
    assert set(all_texts) == {"en", "es", "fr"}
    english = all_texts["en"]
    for language, own in all_texts.items():
        assert list(own) == list(english), language
        for key, text in own.items():
            assert text.strip(), (language, key)
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), (
                language,
                key,
            )


def test_every_text_that_is_asked_for_is_there() -> None:
    known = texts()["en"]
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [
            *PAGE.glob("*.js"),
            *(PAGE / "parts").glob("*.js"),
            *(PAGE / "words").glob("*.js"),
            PAGE / "index.html",
        ]
    )
    asked = set(re.findall(r"""(?:\bt\(|data-text=|data-label=|EngineFault\()"([\w.]+)\"""", sources))
    assert len(asked) > 60
    assert not asked - set(known)
    counted = set(re.findall(r'\bcount\("([\w.]+)"', sources))
    assert not {f"{key}.{form}" for key in counted for form in ("one", "other")} - set(known)


def test_every_fault_of_the_readers_has_a_sentence() -> None:
    known = texts()["en"]
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (PAGE / "engine" / "local").rglob("*.js")
    )
    codes = set(re.findall(r'(?:new ReadError|orReadError)\(\s*"(\w+)"', sources))
    assert len(codes) > 25
    assert not {f"error.{code}" for code in codes} - set(known)
    notes = set(re.findall(r'code: "(\w+)"', sources)) - codes
    assert not {note for note in notes if f"note.{note}" not in known and f"note.{note}.one" not in known}


def test_the_page_names_no_other_host() -> None:
    allowed = {"http://www.w3.org/2000/svg"}
    for path in PAGE.rglob("*"):
        if path.suffix in (".js", ".html", ".css", ".webmanifest", ".svg") and "vendored" not in path.parts:
            assert set(re.findall(r"https?://[^\s\"'<>)]+", path.read_text(encoding="utf-8"))) <= allowed, (
                path
            )
