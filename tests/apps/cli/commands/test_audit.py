from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bundles import write_tiny_bundle
from covidct.apps.cli.commands.audit import is_failed
from covidct.apps.cli.data import CHECKS
from covidct.apps.cli.main import main
from covidct.audit.run import CHECKS as RUN
from covidct.audit.verdict import Audit, Check, Finding, Level
from covidct.images.read import read_slice
from makers import write_png
from places import ROOT
from training import write_phantoms

SCHEMA = json.loads((ROOT / "docs" / "reference" / "audit.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("slices"), patients=4)


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["audit", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_knows_every_check() -> None:
    assert CHECKS == RUN


def test_verdict_page_and_json(manifest: Path, tmp_path: Path) -> None:
    result = call(manifest, "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert result.exit_code == 0, "eight patients a class bear no claim, but can be trained on"
    assert "WARN  Sample size" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    document = json.loads((tmp_path / "a.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert [check["name"] for check in document["checks"]] == list(CHECKS)
    page = (tmp_path / "a.html").read_text()
    assert page.casefold().startswith("<!doctype html>")
    assert "Research use only" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.json"]


def test_a_folder_with_a_sub_folder_a_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("covid", "non-covid"):
        (tmp_path / label).mkdir()
        for at in range(4):
            write_png(tmp_path / label / f"{at}.png", rng.integers(0, 255, (48, 48), np.uint8))
    result = call(tmp_path, "--only", "labels")
    assert result.exit_code == 0
    assert "8 slices" in result.stdout


@pytest.mark.parametrize(("limit", "code"), [("fail", 0), ("warn", 1), ("never", 0)])
def test_the_exit_code_follows_the_limit(manifest: Path, limit: str, code: int) -> None:
    """One source alone is a warning."""
    assert call(manifest, "--only", "sources", "--source", "north", "--fail-on", limit).exit_code == code


@pytest.mark.parametrize("limit", ["fail", "warn", "never"])
@pytest.mark.parametrize("level", list(Level))
def test_what_counts_as_failed(level: Level, limit: str) -> None:
    check = Check("labels", "Labels", "One.", findings=(Finding(level, "found"),))
    failed = is_failed(Audit("m.csv", "0", 1, 1, (check,)), limit)
    assert failed == ((limit, level) in {("fail", Level.FAIL), ("warn", Level.WARN), ("warn", Level.FAIL)})


def test_a_model_is_set_beside_the_floor(manifest: Path, tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    result = call(manifest, "--only", "shortcuts", "--model", bundle, "--fail-on", "never")
    assert result.exit_code in (0, 2)
    assert "model" in (result.stdout + result.stderr).casefold()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column named label and none named path; its first line has nothing"),
        ("path,label\n", "holds no rows"),
        ("path,source\na.png,x\n", "no column named label; its first line has path, source"),
        ("path;label\na.png;covid\n", "A manifest is a CSV with commas"),
        ("path,label\na.png,covid\na.png,covid\n", "listed twice"),
        ("path,label\na.png,covid\n./b/../a.png,covid\n", "listed twice"),
        ("path,label\na.png,7\n", "there are 7: say which is which with --positive"),
        ("path,label,split\na.png,covid,validation\n", "tune is what others call validation"),
    ],
)
def test_bad_manifests_are_told_and_leave_nothing(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    result = call(tmp_path / "m.csv", "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert result.exit_code == 2
    assert words in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


@pytest.mark.parametrize(
    "options",
    [("--source", "nowhere"), ("--only", "colour"), ("--model", "nothing"), ("--fail-on", "always")],
)
def test_wrong_usage(manifest: Path, options: tuple[str, ...]) -> None:
    assert call(manifest, *options).exit_code == 2


def test_a_place_that_cannot_be_written_is_told(manifest: Path, tmp_path: Path) -> None:
    result = call(manifest, "--only", "labels", "--html", tmp_path / "no" / "a.html")
    assert result.exit_code == 2
    assert "a.html" in result.stderr


def test_files_that_are_no_pictures_are_all_named(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    lines = "\n".join(f"{name}.png,covid,x" for name in ("text", "empty", "gone"))
    (tmp_path / "m.csv").write_text(f"path,label,source\n{lines}\n")
    result = call(tmp_path / "m.csv", "--only", "labels", "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    (check,) = json.loads((tmp_path / "a.json").read_text())["checks"]
    named = {name for finding in check["findings"] for name in finding["files"]}
    assert named == {"text.png", "empty.png", "gone.png"}


def test_all_checks_survive_a_set_of_one_slice(manifest: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((40, 40), 80, np.uint8))
    (tmp_path / "m.csv").write_text("path,label\na.png,covid\n")
    result = call(tmp_path / "m.csv", "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "a.json").read_text()))


def test_all_checks_survive_a_set_without_a_readable_slice(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label\na.png,covid\nb.png,non-covid\n")
    result = call(tmp_path / "m.csv", "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    assert "2 files are missing" in result.stdout
    assert (tmp_path / "a.html").is_file()


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    lines = "\n".join(
        f"p{at // 10}/{at}.png,{('covid', 'non-covid')[at // 10 % 2]},p{at // 10},train"
        for at in range(100_000)
    )
    (tmp_path / "m.csv").write_text(f"path,label,patient_id,split\n{lines}\n")
    result = call(tmp_path / "m.csv", "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    assert "100000 files are missing" in result.stdout
    assert len(result.stdout) < 5000
    finding = json.loads((tmp_path / "a.json").read_text())["checks"][0]["findings"][0]
    assert len(finding["files"]) == 100_000


def test_the_development_data(shared_data: Path, tmp_path: Path) -> None:
    """Known of COVID-CT: its format tells the class, JPEG is named .png, two figures have two labels."""
    lines = ["path,label,source,patient_id,split"]
    folder = shared_data / "covid-ct"
    for row in (shared_data / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]:
        path, label, source, *rest = row.split(",")
        if source == "covid-ct":
            lines.append(",".join((str(shared_data / path), label, source, *rest[:2])))
    for number in (0, 1):
        pixels = read_slice(folder / "CT_NonCOVID" / f"71%{number}.jpg").pixels
        copy = Image.fromarray(pixels).resize((pixels.shape[1] * 3 // 4, pixels.shape[0] * 3 // 4))
        copy.save(tmp_path / f"test{number}.png")
        lines.append(f"test{number}.png,covid,covid-ct,COVID-Patient x,test")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    only = ("--only", "labels", "--only", "metadata")
    assert call(tmp_path / "m.csv", *only, "--json", tmp_path / "a.json").exit_code == 1
    labels, metadata = json.loads((tmp_path / "a.json").read_text())["checks"]
    conflicts = {name for finding in labels["findings"] for name in finding["files"]}
    assert {"test0.png", "test1.png"} < conflicts
    assert {Path(name).name for name in conflicts} >= {"71%0.jpg", "71%1.jpg"}
    assert metadata["level"] == "fail"
    auc = metadata["figures"][0]
    assert auc["low"] > 0.75
    misnamed = [finding for finding in metadata["findings"] if "JPEG" in finding["text"]]
    assert len(misnamed[0]["files"]) == 32


def test_a_model_without_the_floor_is_wrong_usage(manifest: Path) -> None:
    result = call(manifest, "--only", "labels", "--model", manifest.parent)
    assert result.exit_code == 2
    assert "add --only shortcuts" in result.stderr


def test_the_report_says_which_source_it_is_of(manifest: Path) -> None:
    assert "manifest.csv (north): " in call(manifest, "--only", "sample-size", "--source", "north").stdout
