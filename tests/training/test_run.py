from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from covidct import Classifier
from covidct.apps.cli.main import main
from covidct.audit.verdict import Audit, Level
from covidct.data.lock import make_lock, write_lock
from covidct.data.manifest import SPLITS, DataPlan, read_manifest, write_manifest
from covidct.data.pixels import read_pixels
from covidct.data.split import assign_splits
from covidct.errors import AuditError, ManifestError, ParityError
from covidct.evaluation.card.card import Later, to_card
from covidct.evaluation.card.record import parse_record
from covidct.evaluation.measure import evaluate_rows
from covidct.evaluation.predictions import answer_rows
from covidct.evaluation.report import Report
from covidct.evaluation.report_json import parse_figures
from covidct.evaluation.rows import place_rows, plan_of
from covidct.images.raster import Picture, parse_picture
from covidct.inference.bundle import GRAPHS, REQUIRED, SUMS, load_bundle
from covidct.inference.reference import check_reference
from covidct.inference.session import Session
from covidct.training.report.write import write_page
from covidct.training.run import Job, audit_rows, train
from covidct.types import Precision
from training import SOURCES, tiny_recipe, write_phantoms


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("slices"))


@pytest.fixture(scope="module", autouse=True)
def any_int8() -> Iterator[None]:
    """Two epochs from random weights leave nearly equal logits, whose order int8 cannot keep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("covidct.training.export.INT8_TOLERANCE", 1.0)
        yield


def make_job(manifest: Path, out: Path) -> Job:
    return Job(tiny_recipe(), read_manifest(manifest), out, version="9.9.9", notes="## A note\n\nof ours")


@pytest.fixture(scope="module")
def whole(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str]]:
    """A whole run on phantoms, from manifest to bundle, and how often each file was decoded."""
    out, decoded = tmp_path_factory.mktemp("run"), Counter[str]()

    def parse(data: bytes, *, name: str) -> Picture:
        decoded[Path(name).name] += 1
        return parse_picture(data, name=name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("covidct.images.read.parse_picture", parse)
        train(make_job(manifest, out))
    return out, decoded


@pytest.fixture(scope="module")
def out(whole: tuple[Path, Counter[str]]) -> Path:
    return whole[0]


def test_a_run_leaves_a_bundle_that_loads_and_answers(out: Path, manifest: Path) -> None:
    classifier = Classifier.load(out / "bundle")
    results = list(classifier.predict_many(row.path for row in read_manifest(manifest).rows))
    assert {result.status for result in results} == {"ok"}
    assert results[0].model.name == "covidct-tiny-9.9.9"
    assert {path.name for path in (out / "bundle").iterdir()} == {*REQUIRED, SUMS}


def test_a_run_whose_int8_strays_leaves_no_bundle(
    out: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (out / "bundle" / SUMS).read_text()
    monkeypatch.setattr("covidct.training.export.INT8_TOLERANCE", -1.0)
    monkeypatch.setattr("covidct.training.export.PAIRS", 0.0)
    with pytest.raises(ParityError, match="int8 graph"):
        train(Job(tiny_recipe(), read_manifest(manifest), out, version="0.0.1"))
    assert (out / "bundle" / SUMS).read_text() == before


def test_nothing_is_trained_where_the_audit_fails_and_nobody_says_why(manifest: Path, tmp_path: Path) -> None:
    rows = read_manifest(manifest).rows
    spoilt = [replace(row, source=row.label, patient_id=row.label + row.patient_id) for row in rows]
    write_manifest(spoilt, tmp_path / "spoilt.csv")
    job = Job(tiny_recipe(), read_manifest(tmp_path / "spoilt.csv"), tmp_path / "out")
    with pytest.raises(AuditError, match=r"fails \(Source and label\).*audit\.html.*--accept REASON"):
        train(job)
    assert {path.name for path in job.out.iterdir()} == {"manifest.csv", "audit.html", "audit.json"}
    divided = read_manifest(job.out / "manifest.csv").rows
    assert audit_rows(replace(job, accept="a teaching example"), divided).level is Level.FAIL


def test_the_card_tells_what_the_audit_found_and_why_it_was_accepted(out: Path) -> None:
    bundle = load_bundle(out / "bundle")
    assert "## Audit of the data: warn" in bundle.card
    assert "- Sample size: **warn**. On tune, " in bundle.card
    assert "Trained on all the same" not in bundle.card
    config = json.loads((out / "bundle" / "config.json").read_text())
    config["training"]["audit"] |= {"level": "fail", "accepted": "a teaching example"}
    assert "Trained on all the same, because: a teaching example\n" in to_card(
        parse_record(json.dumps(config).encode())
    )


def test_a_run_leaves_its_splits_curves_and_evaluation(out: Path) -> None:
    for name in (
        "manifest.csv",
        "metrics.csv",
        "curves.png",
        "evaluation/evaluation.json",
        "evaluation/roc.png",
    ):
        assert (out / name).stat().st_size > 0
    splits = {row.split for row in read_manifest(out / "manifest.csv").rows}
    assert splits == {"train", "tune", "calibrate"}
    assert not [path for path in out.glob("*.partial*") if path.is_file()]


def test_a_run_that_is_done_makes_the_same_bundle_again(out: Path, manifest: Path) -> None:
    before = (out / "bundle" / SUMS).read_text()
    train(make_job(manifest, out))
    assert (out / "bundle" / SUMS).read_text() == before


def test_a_finished_run_is_not_taken_for_one_on_other_labels(
    out: Path, manifest: Path, tmp_path: Path
) -> None:
    rows = read_manifest(manifest).rows
    labels = [row.label for row in reversed(rows)]
    swapped = [replace(row, label=label) for row, label in zip(rows, labels, strict=True)]
    write_manifest(swapped, tmp_path / "swapped.csv")
    before = (out / "manifest.csv").read_bytes()
    with pytest.raises(ManifestError, match="holds a run on other slices, labels or splits"):
        train(make_job(tmp_path / "swapped.csv", out))
    assert (out / "manifest.csv").read_bytes() == before


def test_the_graphs_hold_no_path_of_the_machine(out: Path) -> None:
    for name in GRAPHS.values():
        data = (out / "bundle" / name).read_bytes()
        assert b"site-packages" not in data
        assert str(out).encode() not in data
        assert not any(node.metadata_props for node in onnx.load(out / "bundle" / name).graph.node)


def test_int8_has_unsigned_activations_and_weights_by_channel(out: Path) -> None:
    graph = onnx.load(out / "bundle" / GRAPHS["int8"]).graph
    kinds = {item.name: (item.data_type, list(item.dims)) for item in graph.initializer}
    quantised = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantised
    assert {kinds[node.input[2]][0] for node in quantised} == {onnx.TensorProto.UINT8}
    weights = [
        kinds[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in kinds
    ]
    assert any(kind == onnx.TensorProto.INT8 and len(dims) == 4 for kind, dims in weights)
    assert any(
        len(kinds[node.input[1]][1]) == 1 and kinds[node.input[1]][1][0] > 1
        for node in graph.node
        if node.op_type == "DequantizeLinear"
    )


@pytest.mark.parametrize("precision", ["float", "int8"])
@pytest.mark.parametrize("shape", [(1, 1), (512, 512), (61, 115), (33, 700)])
def test_the_graphs_take_slices_of_any_size(out: Path, precision: Precision, shape: tuple[int, int]) -> None:
    session = Session(load_bundle(out / "bundle").graph(precision))
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    outputs = session.run(pixels)
    assert outputs.logit.shape == (3,)
    assert outputs.evidence.shape == (3, 1, 1)
    alone = session.run(pixels[1:2])
    assert outputs.logit[1] == pytest.approx(alone.logit[0], abs=1e-3)


def test_the_recorded_outputs_are_those_of_the_graphs(out: Path) -> None:
    bundle = load_bundle(out / "bundle")
    sessions = {name: Session(bundle.graph(name)) for name in GRAPHS}
    reference = json.loads(bundle.files["reference.json"])
    assert max(check_reference(sessions, reference).values()) < 0.01
    reference["logits"]["float"]["normal-1"] += 1
    assert check_reference(sessions, reference)["float"] > 1


def test_the_card_tells_data_figures_limits_and_notes(out: Path) -> None:
    card = load_bundle(out / "bundle").card
    for words in (
        "covidct-tiny 9.9.9",
        "not a\nmedical device",
        "north",
        "south",
        "95 %",
        "## Limits",
        "of ours",
        "ImageNet-1k): none",
        "non-commercial",
        "look up those of `north`, `south`",
    ):
        assert words in card
    assert str(out) not in card


def measure(out: Path) -> Report:
    rows = [row for row in read_manifest(out / "manifest.csv").rows if row.split == "tune"]
    return evaluate_rows(Classifier.load(out / "bundle"), rows, DataPlan(), split="tune", digest="0" * 64)


def test_the_card_can_be_made_again_from_what_the_bundle_records(out: Path) -> None:
    config = json.loads((out / "bundle" / "config.json").read_text())
    assert to_card(parse_record(json.dumps(config).encode())) == (out / "bundle" / "README.md").read_text()
    assert str(out) not in json.dumps(config)
    report = measure(out)
    assert (
        parse_figures(config["training"]["figures"]["float"]).overall.evaluation == report.overall.evaluation
    )


def test_a_card_without_notes_has_no_gap(out: Path) -> None:
    card = to_card(parse_record((out / "bundle" / "config.json").read_bytes()), Later(notes=""))
    assert "of ours" not in card
    assert "\n\n\n" not in card


def test_evaluate_measures_the_shipped_graph_by_source(out: Path, manifest: Path, tmp_path: Path) -> None:
    arguments = [
        "evaluate",
        str(out / "bundle"),
        "--data",
        str(manifest),
        "--split",
        "tune",
        "--out",
        str(tmp_path),
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert {section["name"] for section in report["sections"][1:]} == set(SOURCES)
    assert 0 <= report["sections"][0]["evaluation"]["metrics"]["auc"]["value"] <= 1
    ours = json.loads((out / "evaluation" / "evaluation.json").read_text())
    assert report["sections"][0] == ours["sections"][0]


def test_evaluate_keeps_the_split_that_training_made(out: Path, manifest: Path) -> None:
    rows = read_manifest(manifest).rows
    again = {row.path.name: row.split for row in assign_splits(rows, tiny_recipe().data)}
    assert again == {row.path.name: row.split for row in read_manifest(out / "manifest.csv").rows}


def test_evaluate_of_one_source(out: Path, manifest: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", str(out / "bundle"), "--data", str(manifest), "--split", "all"]
    done = CliRunner().invoke(main, [*arguments, "--source", "south", "--float", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "evaluation.json").read_text())["sections"][0]["evaluation"]["n"] == 24


def test_evaluate_says_when_a_split_is_empty(out: Path, manifest: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", str(out / "bundle"), "--data", str(manifest), "--split", "external"]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "no labelled slice" in done.output


def test_slices_without_an_answer_are_kept_apart(out: Path, tmp_path: Path) -> None:
    manifest = write_phantoms(tmp_path, patients=1)
    (tmp_path / "north-0-0.png").write_bytes(b"")
    rows = read_manifest(manifest).rows
    answers = answer_rows(Classifier.load(out / "bundle"), rows, DataPlan())
    assert len(answers.scored) == len(rows) - 1
    assert "north-0-0.png" in str(answers.unanswered[0].message)
    with pytest.raises(ManifestError, match=r"north-0-0\.png"):
        list(read_pixels(rows, label="slices"))
    with pytest.raises(ManifestError, match="could be scored"):
        evaluate_rows(Classifier.load(out / "bundle"), rows[:1], DataPlan(), split="all", digest="")


def test_slices_of_a_source_that_was_not_trained_on_are_external(manifest: Path) -> None:
    rows = read_manifest(manifest).rows
    placed = place_rows(rows, DataPlan(sources=("north",)))
    assert {row.split for row in placed if row.source == "south"} == {"external"}
    assert {row.split for row in placed if row.source == "north"} == {"train", "tune", "calibrate"}
    assert "external" not in {row.split for row in place_rows(rows, DataPlan())}
    # Splits that others gave to slices of an unseen source say nothing of this model, but for a test split.
    given = [replace(row, split=split) for row, split in zip(rows, cycle(SPLITS), strict=False)]
    placed = place_rows(given, DataPlan(sources=("north",)))
    assert {row.split for row in placed if row.source == "south"} == {"external", "test"}


def test_a_bundle_knows_its_sources_though_its_recipe_names_none(
    out: Path, manifest: Path, tmp_path: Path
) -> None:
    classifier = Classifier.load(out / "bundle")
    assert tiny_recipe().data.sources == ()
    assert plan_of(classifier).sources == SOURCES
    unseen = tmp_path / "unseen.csv"
    rows = read_manifest(manifest).rows
    write_manifest([replace(row, source="elsewhere") for row in rows], unseen)
    arguments = ["evaluate", str(out / "bundle"), "--data", str(unseen), "--out", str(tmp_path / "report")]
    assert CliRunner().invoke(main, [*arguments, "--split", "external"]).exit_code == 0
    refused = CliRunner().invoke(main, [*arguments, "--split", "tune"])
    assert refused.exit_code == 2
    assert f"no labelled slice is in split tune; there are external ({len(rows)})" in refused.output


def test_a_run_ends_in_one_page_that_says_how_far_to_trust_it(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Not measured on new slices" in page
    for words in (
        "The data set",
        "Training",
        "Top losses",
        "What the audit says",
        "one place",
        "Split integrity",
    ):
        assert (words in page) == (words != "one place")
    assert page.count("data:image/") >= 5
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "where the network sees COVID-19" in page


def test_new_slices_are_measured_unless_they_are_locked(out: Path, manifest: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "run")
    rows = [
        replace(row, split="test") if row.split == "calibrate" else row
        for row in read_manifest(out / "manifest.csv").rows
    ]
    write_manifest(rows, tmp_path / "m.csv")
    again, audited = read_manifest(tmp_path / "m.csv"), Audit("m", "", 48, 24, ())

    def write() -> str:
        page = write_page(tmp_path / "run", again, tiny_recipe(), rows=again.rows, audited=audited)
        return page.read_text(encoding="utf-8")

    assert "On new slices, used for nothing else" in write()
    assert (tmp_path / "run" / "test" / "evaluation.json").is_file()
    write_lock(make_lock(again))
    assert "Not measured on new slices" in write()


def test_every_slice_is_decoded_once(whole: tuple[Path, Counter[str]], manifest: Path) -> None:
    """To audit; learning, calibrating and measuring take what was kept, and nothing is left of it."""
    out, decoded = whole
    assert decoded == {row.path.name: 1 for row in read_manifest(manifest).rows}
    assert not (out / "slices").exists()
