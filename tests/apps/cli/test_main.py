from __future__ import annotations

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from pydicom import uid

import covidct
from bundles import write_tiny_bundle
from covidct.apps.cli.main import main
from covidct.apps.cli.options import MISSING
from covidct.images.hounsfield import to_display
from covidct.inference.bundle import REFERENCE, default_path, write_sums
from covidct.inference.config import CONFIG
from covidct.results.formats import csv_header
from covidct.types import DISCLAIMER
from failing import SECRET, fail_at
from makers import SERIES_UID, phantom_hu, png_bytes, write_dicom, write_png
from places import ROOT

SCHEMA = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))
HU = phantom_hu()
SHOWN = to_display(HU)
COMMANDS = [
    *("predict", "info", "audit", "split", "augment", "train", "evaluate", "examine", "calibrate", "serve")
]
RUN = "from covidct.apps.cli.main import main; main(prog_name='covidct')"
HEAVY = ("onnxruntime", "torch", "onnx", "PIL", "pydicom", "gdcm", "sklearn", "scipy", "matplotlib")
UNNEEDED = (
    *("jinja2", "numpy.ma", "numpy.random", "requests", "statistics", "random", "tarfile", "zipfile"),
    *("covidct.results.page", "covidct.evaluation", "covidct.data", "covidct.apps.web", "covidct.apps.pacs"),
    *("covidct.apps.cli.train", "covidct.apps.cli.serve", "covidct.apps.archive", "covidct.series.archive"),
    *("covidct.series.headers", "covidct.inference.overlay"),
)


def call(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    """Run a command in this process; anything but a clean exit is a failure."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def start(code: str, *arguments: str | bytes | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run python code in a process of its own; locale and encoding as most terminals have them."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, env=environment, timeout=60, **options
    )


def records(result: Result) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(SCHEMA).validate(line)
    return lines


def huge_png(side: int) -> bytes:
    """A small file that says it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "slices"
    (folder / "deep" / "er").mkdir(parents=True)
    return [
        write_dicom(folder / "deep" / "er" / "IM0001", HU),
        write_png(folder / "deep" / "x.png", SHOWN),
        write_png(folder / "s2.png", SHOWN),
        write_png(folder / "s10.png", SHOWN),
    ]


# --- predict


def test_json_lines(tiny_bundle: Path, slices: list[Path]) -> None:
    result = call("predict", *slices, "--model", tiny_bundle, "--format", "jsonl")
    assert result.exit_code == 0
    lines = records(result)
    assert [line["path"] for line in lines] == [str(path) for path in slices]
    assert {line["status"] for line in lines} == {"ok"}
    assert {line["model"] for line in lines} == {"tiny-1.2.3"}
    assert [line["series_uid"] for line in lines] == [SERIES_UID, None, None, None]


def test_json_lines_are_for_pipes(tiny_bundle: Path, slices: list[Path]) -> None:
    by_default = call("predict", *slices, "--model", tiny_bundle)
    assert by_default.stdout == call("predict", *slices, "--model", tiny_bundle, "--format", "jsonl").stdout


def test_csv(tiny_bundle: Path, slices: list[Path]) -> None:
    result = call("predict", *slices, "--model", tiny_bundle, "--format", "csv")
    assert result.stdout.splitlines()[0] == csv_header()
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["path"] for row in rows] == [str(path) for path in slices]
    assert {row["operating_point"] for row in rows} == {"balanced"}


def test_table(tiny_bundle: Path, slices: list[Path]) -> None:
    result = call("predict", *slices, "--model", tiny_bundle, "--format", "table")
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["decision", "probability", "study", "or", "slice"]
    names = [line.split()[2].rstrip(":") for line in lines]
    # A folder is said once.
    same = [before.parent == path.parent for before, path in pairwise(slices)]
    after = (f".../{path.name}" if one else str(path) for path, one in zip(slices[1:], same, strict=True))
    assert names == [str(slices[0]), *after]


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_only_results_go_to_standard_output(tiny_bundle: Path, slices: list[Path], form: str) -> None:
    (slices[-1].parent / "notes.txt").write_text("no slice")
    result = call("predict", slices[-1].parent, "--model", tiny_bundle, "--format", form)
    assert len(result.stdout.splitlines()) == len(slices) + (form != "jsonl")
    assert DISCLAIMER not in result.stdout
    assert "4 slices: " in result.stderr
    assert "Skipped: 1 document.\n" in result.stderr
    assert "notes.txt" not in result.stderr
    assert result.stderr.splitlines()[-1] == DISCLAIMER


def test_what_may_have_been_wanted_is_named(tiny_bundle: Path, slices: list[Path]) -> None:
    for name in ("LICENSE", "notes.txt", "scan.raw"):
        (slices[-1].parent / name).write_text("no slice")
    result = call("predict", slices[-1].parent, "--model", tiny_bundle)
    assert "Skipped, not named like slices: scan.raw; and 2 documents.\n" in result.stderr


def test_folders_are_searched_in_natural_order(tiny_bundle: Path, slices: list[Path]) -> None:
    result = call("predict", slices[-1].parent, "--model", tiny_bundle)
    assert [line["path"] for line in records(result)] == [str(path) for path in slices]


def test_an_empty_folder(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = call("predict", tmp_path / "empty", "--model", tiny_bundle)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Nothing found: give slices or series, or folders" in result.stderr
    assert "0 slices: nothing to do." in result.stderr


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_names_from_standard_input(tiny_bundle: Path, slices: list[Path], end: bytes) -> None:
    names = [os.fsencode(slices[1]), b"", os.fsencode(slices[3])]
    result = call("predict", slices[2], "-", "--model", tiny_bundle, stdin=end.join(names))
    assert result.exit_code == 0
    wanted = [str(slices[at]) for at in (2, 1, 3)]
    assert [line["path"] for line in records(result)] == wanted


def test_bad_inputs_do_not_stop_the_good(tiny_bundle: Path, tmp_path: Path) -> None:
    good = write_png(tmp_path / "good.png", SHOWN)
    data = {
        "empty.png": (b"", "the file is empty"),
        "truncated.png": (png_bytes(SHOWN)[:-500], "damaged or cut off"),
        "truncated.dcm": (write_dicom(tmp_path / "x", HU).read_bytes()[:-500], "cut off"),
        "text.png": (b"Dear colleague,", "neither DICOM nor a PNG"),
        "huge.png": (huge_png(60_000), "60000 x 60000 pixels, but at most 50,000,000 are read"),
    }
    for name, (content, _) in data.items():
        (tmp_path / name).write_bytes(content)
    no_pixels = write_dicom(tmp_path / "report.dcm", HU, PixelData=None)
    mr = write_dicom(tmp_path / "mr.dcm", HU, Modality="MR", SOPClassUID=uid.MRImageStorage)
    says = {tmp_path / name: what for name, (_, what) in data.items()}
    says |= {no_pixels: "no PixelData", tmp_path / "missing.png": "no such file"}
    foreign = {mr: "Modality MR"}
    given = [good]
    for path in says | foreign:
        given += [path, good]
    result = call("predict", *given, "--model", tiny_bundle)
    assert result.exit_code == 1
    lines = records(result)
    assert [line["path"] for line in lines] == [str(path) for path in given]
    for line in lines:
        if line["path"] == str(good):
            assert line["status"] == "ok"
        else:
            is_foreign = Path(line["path"]) in foreign
            wanted = ("refused", "not_ct") if is_foreign else ("error", "unreadable")
            assert (line["status"], line["reason"]) == wanted
            assert line["message"].startswith(f"{line['path']}: ")
            assert (says | foreign)[Path(line["path"])] in line["message"]
    assert f"1 refused, {len(says)} error." in result.stderr


@pytest.mark.parametrize("debug", [True, False])
def test_what_no_reader_foresees_is_an_error_and_debug_says_where(
    tiny_bundle: Path, slices: list[Path], monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    fail_at(monkeypatch, slices[1].name)
    result = call("predict", *slices, "--model", tiny_bundle, *(["--debug"] if debug else []))
    assert result.exit_code == 1
    assert [line["status"] for line in records(result)] == ["ok", "error", "ok", "ok"]
    assert ("Traceback" in result.stderr, SECRET in result.stderr) == (debug, debug)
    assert SECRET not in result.stdout


def test_refused_is_no_failure(tiny_bundle: Path, tmp_path: Path) -> None:
    result = call("predict", write_png(tmp_path / "x.png", SHOWN[:20]), "--model", tiny_bundle)
    assert result.exit_code == 0
    assert [(line["status"], line["reason"]) for line in records(result)] == [("refused", "too_small")]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["predict"],
        ["predict", "x.png", "--format", "xml"],
        ["predict", "x.png", "--threads", "0"],
        ["predict", "x.png", "--model", "no-such-bundle"],
        ["guess"],
        ["info", "no-such-bundle"],
        ["evaluate", "bundle"],
        ["train"],
        ["train", __file__, "--recipe", "scratch"],
        ["train", str(ROOT / "recipes" / "lung.toml"), "--recipe", "scratch", "--out", "x"],
        ["audit"],
        ["split"],
        ["augment"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_prevalence_changes_probabilities_not_decisions(tiny_bundle: Path, slices: list[Path]) -> None:
    plain = records(call("predict", *slices, "--model", tiny_bundle))
    rare = records(call("predict", *slices, "--model", tiny_bundle, "--prevalence", "0.05"))
    assert [one["decision"] for one in rare] == [one["decision"] for one in plain]
    answered = [one for one in rare if one["status"] == "ok"]
    assert answered
    for one in answered:
        assert one["prevalence"] == 0.05
        assert one["probability_at_prevalence"] < one["probability"]
        assert (one["ppv"], one["npv"]) == pytest.approx((45 / 235, 760 / 765), abs=1e-6)
    table = call("predict", *slices, "--model", tiny_bundle, "--prevalence", "0.05", "--format", "table")
    assert table.stdout.splitlines()[0].endswith("at 0.05   study or slice")
    assert "PPV 19.1% and NPV 99.3% at the threshold of" in table.stderr
    assert all(one["prevalence"] is None for one in plain)


@pytest.mark.parametrize("prevalence", ["0", "1", "-0.1", "1.5", "nan", "rare"])
@pytest.mark.parametrize("command", [["predict"], ["evaluate", "bundle", "--data", __file__, "--out", "x"]])
def test_what_is_no_prevalence(command: list[str], prevalence: str) -> None:
    result = call(*command, *([__file__] if command == ["predict"] else []), "--prevalence", prevalence)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--prevalence" in result.stderr


def test_an_operating_point_by_name(tiny_bundle: Path, slices: list[Path]) -> None:
    lines = records(call("predict", *slices, "--model", tiny_bundle, "--operating-point", "sensitive"))
    assert {one["operating_point"]["name"] for one in lines if one["status"] == "ok"} == {"sensitive"}
    result = call("predict", *slices, "--model", tiny_bundle, "--operating-point", "bold")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no operating point 'bold'; it has balanced, sensitive" in result.stderr


def test_heatmaps(tiny_bundle: Path, slices: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    result = call("predict", *slices, "--model", tiny_bundle, "--heatmaps", folder)
    written = [line["heatmap"] for line in records(result)]
    assert sorted(written) == sorted(str(path) for path in folder.iterdir())
    assert len(set(written)) == len(slices)


def test_heatmaps_where_nothing_can_be_written(tiny_bundle: Path, slices: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("predict", slices[1], "--model", tiny_bundle, "--heatmaps", tmp_path / "file" / "maps")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")


def test_int8_is_another_graph_and_says_so(tiny_bundle: Path, slices: list[Path]) -> None:
    plain, float_, int8 = [
        records(call("predict", slices[1], "--model", tiny_bundle, "--threads", "1", *flag))[0]
        for flag in ([], ["--float"], ["--int8"])
    ]
    assert plain == float_
    assert (plain["precision"], int8["precision"]) == ("float", "int8")
    assert int8["probability"] > plain["probability"]


@pytest.mark.parametrize("command", [["predict", "x.png", "--model"], ["info"]])
def test_a_damaged_bundle(tiny_bundle: Path, tmp_path: Path, command: list[str]) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / "model.onnx").write_bytes(b"changed")
    result = call(*command, bundle)
    assert (result.exit_code, result.stdout) == (2, "")
    wanted = f"Error: {bundle / 'model.onnx'}: is not what SHA256SUMS says it is; copy the bundle again\n"
    assert result.stderr == wanted


def test_graphs_that_do_not_load(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / "model.onnx").write_bytes(b"no graph")
    write_sums(bundle)
    result = call("predict", "x.png", "--model", bundle)
    assert result.exit_code == 2
    assert "the graph is not an ONNX file" in result.stderr


# --- info


def test_info(tiny_bundle: Path) -> None:
    result = call("info", tiny_bundle)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "tiny-1.2.3"
    for text in ("all 5 files", "covid (positive), non-covid", "2.000", "balanced", "sensitive", "AUC 0.5"):
        assert text in result.stdout
    assert result.stderr == f"{DISCLAIMER}\n"


def test_info_tells_the_operating_points_of_series(tmp_path: Path) -> None:
    lines = call("info", write_tiny_bundle(tmp_path / "two", asks_twice=True)).stdout.splitlines()
    assert sum("measured on series left out of the fit" in line for line in lines) == 1
    assert sum("% COVID-19, " in line for line in lines) == 4


def test_info_of_the_shipped_bundle() -> None:
    assert call("info").stdout == call("info", default_path()).stdout


def test_card(tiny_bundle: Path) -> None:
    assert call("info", tiny_bundle, "--card").stdout.startswith("# tiny\n\nMade in code.")


def test_check(tiny_bundle: Path) -> None:
    result = call("info", tiny_bundle, "--check")
    assert result.exit_code == 0
    assert "phantoms answered as recorded: float at 0% of the tolerance, int8 at 0%" in result.stdout


def test_check_of_the_shipped_bundle() -> None:
    """Whether it answers the phantoms here as it did where it was made."""
    assert call("info", "--check").exit_code == 0


def test_check_that_fails(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    reference = json.loads((bundle / REFERENCE).read_text())
    reference["logits"]["int8"]["normal-1"] += 5
    (bundle / REFERENCE).write_text(json.dumps(reference))
    write_sums(bundle)
    result = call("info", bundle, "--check")
    assert result.exit_code == 2
    assert "answers differently here than where it was made" in result.stderr


def test_a_bundle_of_another_format(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    table = json.loads((bundle / CONFIG).read_text()) | {"format": 7}
    (bundle / CONFIG).write_text(json.dumps(table))
    write_sums(bundle)
    result = call("info", bundle)
    assert result.exit_code == 2
    assert "has format 7, but this covidct reads 2" in result.stderr


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"logits": {"float": {"x": 0}}}'])
def test_check_without_outputs_to_compare(tiny_bundle: Path, tmp_path: Path, text: str) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / REFERENCE).write_text(text)
    write_sums(bundle)
    result = call("info", bundle, "--check")
    assert result.exit_code == 2
    assert "reference.json: has no outputs for the phantoms" in result.stderr


# --- evaluate


def test_evaluate(tiny_bundle: Path, tmp_path: Path) -> None:
    from training import tiny_recipe

    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    table = json.loads((bundle / CONFIG).read_text())
    table["training"]["recipe"] = asdict(tiny_recipe())
    (bundle / CONFIG).write_text(json.dumps(table))
    write_sums(bundle)
    lines = ["path,label,source,patient_id,split"]
    for number in range(12):
        ill = number % 2
        write_png(tmp_path / f"{number}.png", SHOWN // 2 + np.uint8(100 * ill))
        lines.append(f"{number}.png,{('non-covid', 'covid')[ill]},here,p{number},tune")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    out = tmp_path / "report"
    result = call("evaluate", bundle, "--data", tmp_path / "manifest.csv", "--out", out)
    assert result.exit_code == 0
    assert "AUC" in result.stdout
    assert result.stderr.endswith(f"{DISCLAIMER}\n")
    assert list(out.iterdir())
    none_there = call(
        "evaluate", bundle, "--data", tmp_path / "manifest.csv", "--out", out, "--split", "test"
    )
    assert none_there.exit_code == 2
    assert "no labelled slice is in split test; there are tune (12): give --split" in none_there.stderr
    for number in range(12):
        folder = tmp_path / "pics" / ("Normal", "COVID")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / f"{number}.png", folder)
    of_a_folder = call(
        "evaluate", bundle, "--data", tmp_path / "pics", "--out", tmp_path / "of", "--split", "external"
    )
    assert of_a_folder.exit_code == 2
    assert "no labelled slice is in split external; there are" in of_a_folder.stderr
    strange = call(
        "evaluate", bundle, "--data", tmp_path / "manifest.csv", "--out", out, "--source", "nowhere"
    )
    assert "has no source nowhere; it has here" in strange.stderr


def test_evaluate_needs_the_recipe(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\nx.png,covid\n")
    result = call("evaluate", tiny_bundle, "--data", tmp_path / "manifest.csv", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "does not record its recipe" in result.stderr


# --- help, version, imports


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)])
def test_help(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_version() -> None:
    assert call("--version").stdout == f"covidct, version {covidct.__version__}\n"


def test_python_runs_the_package_too() -> None:
    command = [sys.executable, "-m", "covidct", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == f"covidct, version {covidct.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from covidct.apps.cli.main import main
for command in ([], *([name] for name in {COMMANDS!r})):
    main([*command, "--help"], standalone_mode=False)
print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = start(code)
    assert (done.returncode, done.stderr.strip()) == (0, b"[]")
    assert done.stdout.count(b"Usage: ") == 1 + len(COMMANDS)


def test_predicting_a_png_imports_what_it_needs(tiny_bundle: Path, slices: list[Path]) -> None:
    code = f"""
import sys
from covidct.apps.cli.main import main
try:
    main(["predict", *sys.argv[1:]])
except SystemExit as end:
    assert end.code == 0, end.code
print(sorted(set({(*HEAVY, *UNNEEDED)!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = start(code, slices[1], "--model", tiny_bundle)
    assert done.stderr.splitlines()[-1] == b"['onnxruntime']"


@pytest.mark.parametrize(
    ("missing", "extra"), [("torch", "train"), ("sklearn", "train"), ("cv2", "audit"), ("jinja2", "audit")]
)
def test_without_an_extra(tiny_bundle: Path, tmp_path: Path, missing: str, extra: str) -> None:
    (tmp_path / "recipe.toml").touch()
    (tmp_path / "manifest.csv").touch()
    data, out = str(tmp_path / "manifest.csv"), ("--out", str(tmp_path / "out"))
    commands: Sequence[tuple[str, ...]] = [("evaluate", str(tiny_bundle), "--data", data, *out)]
    if missing == "torch":
        commands = [("train", data, "--recipe", str(tmp_path / "recipe.toml"), *out)]
    if extra == "audit":
        commands = [("audit", str(tmp_path / "manifest.csv"))]
    for command in commands:
        code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
{RUN}
"""
        done = start(code, *command)
        assert done.returncode == 2
        assert done.stderr.decode().startswith(f"Error: {missing}")
        assert done.stderr.decode().endswith(f": {MISSING.format(sys.executable, extra)}\n")


# --- a real process: names, pipes


def test_the_script_is_installed(tiny_bundle: Path, slices: list[Path]) -> None:
    script = Path(sys.executable).with_name("covidct")
    if not script.exists():
        pytest.skip("covidct is not installed beside this python")
    done = subprocess.run(
        [script, "predict", slices[1], "none.png", "--model", tiny_bundle], capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "error"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_odd_names(tiny_bundle: Path, tmp_path: Path, form: str, encoding: str) -> None:
    names = [b"new\nline.png", b"latin-\xe9.png", "ganz-\u00e4-\u65ad.png".encode()]
    try:
        for name in names:
            (tmp_path / os.fsdecode(name)).write_bytes(png_bytes(SHOWN))
    except OSError:
        pytest.skip("this file system takes valid names only")
    maps = tmp_path.parent / f"{tmp_path.name}-maps"
    done = start(
        RUN,
        *("predict", tmp_path, "--model", tiny_bundle, "--format", form, "--heatmaps", maps),
        env={"PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    assert b"3 slices" in done.stderr
    assert len(list(maps.iterdir())) == 3
    if form == "jsonl":
        paths = [os.fsencode(json.loads(line)["path"]) for line in done.stdout.splitlines()]
        assert {Path(os.fsdecode(path)).name for path in paths} == {os.fsdecode(name) for name in names}
    elif form == "csv":
        assert len(list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))) == 3
    else:
        assert len(done.stdout.splitlines()) == 4


def test_odd_names_from_standard_input(tiny_bundle: Path, tmp_path: Path) -> None:
    name = os.path.join(os.fsencode(tmp_path), b"latin-\xe9.png")
    try:
        Path(os.fsdecode(name)).write_bytes(png_bytes(SHOWN))
    except OSError:
        pytest.skip("this file system takes valid names only")
    done = start(RUN, "predict", "-", "--model", tiny_bundle, input=name + b"\n")
    assert done.returncode == 0, done.stderr.decode()
    assert os.fsencode(json.loads(done.stdout)["path"]) == name


def test_a_reader_that_has_seen_enough(tiny_bundle: Path, slices: list[Path]) -> None:
    """As `covidct predict ... | head -1`."""
    command = [sys.executable, "-c", RUN, "predict", *[str(slices[1])] * 200, "--model", str(tiny_bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=60)
    assert json.loads(first)["status"] == "ok"
    assert said == b""
    assert process.returncode == 1


def on_terminal(stream: str, *arguments: str | Path) -> tuple[str, str]:
    """Run with standard output or error on a terminal; gives what went there, and to the other."""
    terminal, end = os.openpty()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: end}
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    shown = b""
    with subprocess.Popen(command, stdout=streams["stdout"], stderr=streams["stderr"]) as process:
        os.close(end)
        try:
            while data := os.read(terminal, 4096):
                shown += data
        except OSError:  # how Linux says that the other end is closed
            pass
        other = process.stdout or process.stderr
        assert other is not None
        rest = other.read()
    os.close(terminal)
    return shown.decode(), rest.decode()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_table_on_a_terminal(tiny_bundle: Path, slices: list[Path]) -> None:
    shown, rest = on_terminal("stdout", "predict", *slices, "--model", tiny_bundle)
    assert shown.splitlines()[0].startswith("decision")
    assert rest.splitlines()[-1] == DISCLAIMER


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_bar_where_the_work_is_long(tiny_bundle: Path, slices: list[Path]) -> None:
    shown, rest = on_terminal("stderr", "predict", *[slices[1]] * 50, "--model", tiny_bundle)
    assert "predicting" in shown
    assert "100%" in shown
    assert [json.loads(line)["status"] for line in rest.splitlines()] == ["ok"] * 50
    shown, _ = on_terminal("stderr", "predict", *slices, "--model", tiny_bundle)
    assert "predicting" not in shown


@pytest.mark.parametrize("name", ["evaluate", "gate", "examine", "calibrate"])
def test_what_measures_a_model_takes_the_one_that_ships(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").touch()
    out = [] if name == "gate" else ["--out", str(tmp_path / "out")]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    context = command.make_context(name, ["--data", str(tmp_path / "m.csv"), *out], **main.context_settings)
    assert context.params["bundle"] == default_path()
