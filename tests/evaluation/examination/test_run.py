from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bundles import CONFIG_TABLE, write_tiny_bundle
from covidct.apps.cli.main import main
from covidct.data.manifest import DataPlan, Row, write_manifest
from covidct.evaluation.examination import pictures as sheets
from covidct.evaluation.examination.blackout import Masking
from covidct.evaluation.examination.card_text import to_markdown
from covidct.evaluation.examination.evidence_maps import NO_PLACE
from covidct.evaluation.examination.examined_slice import PHANTOM
from covidct.evaluation.examination.record import (
    Examination,
    Protocol,
    read_examination,
    to_json,
    to_targets,
)
from covidct.evaluation.examination.run import (
    choose_rendered,
    choose_shown,
    examine,
    load_graphs,
    write_examination,
)
from covidct.evaluation.examination.text import to_table
from covidct.inference.bundle import load_bundle, write_sums
from covidct.inference.config import CONFIG
from figures.examined_slices import write_masked
from makers import phantom_hu, write_dicom

FILES = {"examination.json", "evidence.png", "blackout.png", "stability.png"}
PROTOCOL = Protocol("tiny", "1.2.3", "float", "ab" * 32, "tune", ("masked",), 0.5, (0.4, 0.6))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Masked slices, those of lesions turned, and a DICOM slice that nobody labelled."""
    folder = tmp_path_factory.mktemp("slices")
    masked = write_masked(folder, turn=1)
    dicom = write_dicom(folder / "slice.dcm", phantom_hu(size=96))
    return [*masked, Row(dicom, "", "unlabelled", "", "", "")]


@pytest.fixture(scope="module")
def examination(rows: list[Row], tiny_bundle: Path) -> Examination:
    graphs = load_graphs(load_bundle(tiny_bundle), "float")
    return examine(graphs, rows, DataPlan(), protocol=PROTOCOL, phantoms=2)


def test_every_part_is_measured(examination: Examination) -> None:
    assert [(one.source, one.slices, one.with_lesions) for one in examination.explanations] == [
        ("masked", 6, 3),
        (PHANTOM, 4, 2),
    ]
    assert [(one.source, one.n) for one in examination.blackouts] == [("masked", 6), (PHANTOM, 4)]
    assert {one.source for one in examination.stabilities} == {
        "real slices",
        "masked",
        "unlabelled",
        PHANTOM,
    }
    assert examination.stabilities[0].slices == 7
    assert len(examination.exhibits) > 0


def test_a_graph_without_layers_has_no_disorder(examination: Examination) -> None:
    assert all(one.shuffled == {} for one in examination.explanations)


def test_targets_name_what_is_asked(examination: Examination) -> None:
    targets = to_targets(examination)
    assert [target.name for target in targets] == [
        "masked: pointing, within 3 %",
        "masked: evidence in the lungs",
        "masked: AUC, lungs blacked out",
        "median change of probability",
        "decisions flipped",
    ]
    for target in targets:
        assert target.reached is not None


def test_the_table_fits_a_terminal(examination: Examination) -> None:
    text = to_table(examination)
    assert max(len(line) for line in text.splitlines()) <= 100
    for wanted in ("peak in a lesion", "lungs blacked out", "mirrored", "at least 0.80", "tiny 1.2.3"):
        assert wanted in text


def test_long_names_of_sources_fit_too(examination: Examination) -> None:
    long = "a-hospital-with-a-name-that-goes-on-and-on"
    changed = replace(
        examination,
        explanations=tuple(replace(one, source=long) for one in examination.explanations),
        blackouts=tuple(replace(one, source=long) for one in examination.blackouts),
        stabilities=tuple(replace(one, source=long) for one in examination.stabilities),
        without_outline=3,
    )
    assert max(len(line) for line in to_table(changed).splitlines()) <= 100


def test_markdown_tables_are_whole(examination: Examination) -> None:
    blocks = [block for block in to_markdown(examination).split("\n\n") if block.startswith("|")]
    assert len(blocks) == 5
    for block in blocks:
        widths = {line.count("|") for line in block.splitlines()}
        assert len(widths) == 1


def test_files_and_nothing_else(examination: Examination, tmp_path: Path) -> None:
    write_examination(examination, tmp_path / "deep" / "out")
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == FILES
    for name in FILES - {"examination.json"}:
        with Image.open(tmp_path / "deep" / "out" / name) as image:
            assert np.asarray(image.convert("L")).std() > 5
    found = json.loads((tmp_path / "deep" / "out" / "examination.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(to_json(examination)))
    assert found["schema"] == 1
    assert read_examination(tmp_path / "deep" / "out" / "examination.json") == examination
    assert set(found["blackouts"][0]["aucs"]) == set(Masking)
    assert found["stabilities"][0]["holds"] in (True, False)


def test_a_broken_run_leaves_what_was_there(
    examination: Examination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examination.json").write_text("old")

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(sheets, "plot_blackout", fail)
    with pytest.raises(OSError, match="no space"):
        write_examination(examination, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["examination.json"]


def test_nothing_to_show_is_drawn_too(tmp_path: Path) -> None:
    empty = Examination(PROTOCOL, (), (), ())
    write_examination(empty, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"evidence.png"}
    assert to_targets(empty) == ()
    assert "tiny" in to_table(empty)
    with pytest.raises(ValueError, match="no exhibits"):
        sheets.plot_evidence((), tmp_path / "none.png")


def test_some_of_each_source_are_rendered(rows: list[Row]) -> None:
    chosen = choose_rendered(rows, most=2)
    assert chosen == {rows[0].path, rows[5].path, rows[6].path}
    assert choose_shown(rows, most=1) <= {row.path for row in rows[:6]}
    assert choose_shown(rows[6:]) == frozenset()


def bundle_with_recipe(folder: Path) -> Path:
    bundle = write_tiny_bundle(folder)
    recipe = {"name": "tiny", "network": "mobilenet_v2", "phases": [{"name": "a", "epochs": 1, "rate": 0.1}]}
    table: dict[str, Any] = CONFIG_TABLE | {"training": {"recipe": recipe}}
    (bundle / CONFIG).write_text(json.dumps(table), encoding="utf-8")
    write_sums(bundle)
    return bundle


def test_the_command(rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.evaluation.examination.run.PHANTOMS", 1)
    bundle, text = bundle_with_recipe(tmp_path / "bundle"), tmp_path / "notes.txt"
    text.write_text("no slice")
    manifest = tmp_path / "manifest.csv"
    write_manifest([*rows, Row(text, "", "unlabelled", "", "", "")], manifest)
    arguments = ["examine", str(bundle), "--data", str(manifest), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "masked: evidence on 3 slices with lesions" in result.stdout
    assert "masks lie 90 degrees off their lungs; turned back" in result.stderr
    assert "not examined" in result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    wrong = CliRunner().invoke(main, [*arguments, "--source", "elsewhere"])
    assert wrong.exit_code == 2
    assert "has no source elsewhere" in wrong.stderr


def test_a_labelled_slice_that_cannot_be_read_ends_it(rows: list[Row], tmp_path: Path) -> None:
    bundle, broken = bundle_with_recipe(tmp_path / "bundle"), tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    write_manifest([*rows, Row(broken, "covid", "masked", "b", "tune", "")], tmp_path / "manifest.csv")
    out = tmp_path / "out"
    arguments = ["examine", str(bundle), "--data", str(tmp_path / "manifest.csv"), "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "remove its line from the manifest" in result.stderr
    assert not out.exists()


def test_the_reason_of_what_does_not_apply_is_kept(examination: Examination) -> None:
    undefined = replace(
        examination.explanations[0].figures["near"], value=None, low=None, high=None, reason=NO_PLACE
    )
    one = replace(
        examination.explanations[0], figures=dict.fromkeys(examination.explanations[0].figures, undefined)
    )
    changed = replace(examination, explanations=(one,))
    assert to_targets(changed)[0].reached is None
    assert "nothing measured" in to_table(changed)
    assert NO_PLACE in json.dumps(to_json(changed))
