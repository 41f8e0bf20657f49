"""Series through the whole line: the classifier and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result

from covidct.apps.cli.main import main
from covidct.images.hounsfield import to_display
from covidct.images.orientation import turn
from covidct.inference.ahead import AHEAD
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from covidct.series.types import SeriesAnswer
from covidct.types import Kind
from figures.predictions import evidence_of, predicted
from makers import write_dicom, write_png
from places import ROOT
from stacks import SERIES, enhanced, save, stack, volume
from studies import SLICES, backwards, halves, rotated, shuffled, singly, stored_turned, zipped

SCHEMA = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(result: Result) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(SCHEMA).validate(line)
    return lines


def answer(classifier: Classifier, given: list[Path]) -> SeriesAnswer:
    (series,) = read_study(given).series
    return classifier.predict_series(series)


# --- the classifier


@pytest.mark.parametrize(
    "arrange",
    [shuffled, backwards, halves, singly, zipped, rotated(20), *(stored_turned(at) for at in (1, 2, 3))],
)
def test_the_same_answer_however_it_comes(
    classifier: Classifier, tmp_path: Path, arrange: Callable[[Path], list[Path]]
) -> None:
    expected = answer(classifier, [save(tmp_path / "plain", stack(SLICES))])
    found = answer(classifier, arrange(tmp_path / "s"))
    assert found.result.probability == expected.result.probability
    assert found.result.decision == expected.result.decision
    assert found.result.series == expected.result.series
    for one, other, instance in zip(found.slices, expected.slices, found.series.instances, strict=True):
        assert (one.slice_index, one.source.instance_uid) == (other.slice_index, other.source.instance_uid)
        assert one.probability == other.probability
        # What the model says of places is of the pixels as they are stored.
        assert np.array_equal(turn(evidence_of(one), instance.turn), evidence_of(other))


def test_slices_are_like_single_ones(classifier: Classifier, tmp_path: Path) -> None:
    found = answer(classifier, [save(tmp_path, stack(SLICES))])
    for at, (item, instance) in enumerate(zip(found.slices, found.series.instances, strict=True)):
        alone = classifier.predict(instance.path)
        assert (item.kind, item.slice_index, item.path) == (Kind.SLICE, at, instance.path)
        assert (alone.probability, alone.source) == (item.probability, item.source)
        assert alone.slice_index is None


def test_long_series_keep_their_order(classifier: Classifier, tmp_path: Path) -> None:
    hu = SLICES[0]
    slices = [np.clip(hu.astype(int) + 8 * at, -1024, 3000).astype(np.int16) for at in range(2 * AHEAD + 5)]
    found = answer(classifier, [save(tmp_path, stack(slices))])
    assert [item.slice_index for item in found.slices] == list(range(2 * AHEAD + 5))
    logits = [predicted(item).logit or 0 for item in found.slices]
    assert logits == sorted(logits)


def test_a_slice_that_is_gone_is_told(classifier: Classifier, tmp_path: Path) -> None:
    (series,) = read_study([save(tmp_path, stack(SLICES))]).series
    Path(series.instances[2].path).unlink()
    found = classifier.predict_series(series)
    assert found.slices[2].message == f"{series.instances[2].path}: no such file; check the path"
    assert found.slices[2].source.instance_uid == f"{SERIES}.3"
    assert found.result.series is not None
    assert "1 slice was not read and is left out." in [note.text for note in found.result.series.notes]


# --- the command


def test_a_line_for_each_slice_and_one_for_the_series(tiny_bundle: Path, tmp_path: Path) -> None:
    save(tmp_path / "s", stack(SLICES))
    write_png(tmp_path / "s" / "z.png", to_display(SLICES[0]))
    result = call("predict", tmp_path / "s", "--model", tiny_bundle)
    assert result.exit_code == 0
    loose, *slices, series = records(result)
    assert (Path(loose["path"]).name, loose["slice_index"]) == ("z.png", None)
    assert [line["slice_index"] for line in slices] == list(range(6))
    assert {line["kind"] for line in slices} == {"slice"}
    assert (series["kind"], series["path"], series["series_uid"]) == ("series", str(tmp_path / "s"), SERIES)
    assert (series["series"]["slices"], series["series"]["answered"]) == (6, 6)
    assert "7 slices: " in result.stderr
    assert " 1 series: 1 " in result.stderr


def test_the_table_has_the_study_first_and_slices_where_they_are_asked_for(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = save(tmp_path / "s", stack(SLICES))
    write_png(folder / "z.png", to_display(SLICES[0]))
    asked = ("predict", folder, "--model", tiny_bundle, "--format", "table")
    _, study, *reasons, loose = call(*asked).stdout.splitlines()
    assert str(folder) in study
    assert "6 of 6 slices with lung answered" in reasons[0]
    assert any("measured on slices, not on studies" in line for line in reasons)
    assert "z.png" in loose
    _, again, *rest = call(*asked, "--slices").stdout.splitlines()
    assert again == study
    listed = [line.split()[2:4] for line in rest if " slice " in line]
    assert [(word, at.rstrip(":")) for word, at in listed] == [("slice", f"{at}") for at in range(1, 7)]
    for line in (*reasons, *rest[:-1]):
        assert str(folder) not in line


def test_csv_has_the_series_too(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "s", stack(SLICES))
    rows = call("predict", folder, "--model", tiny_bundle, "--format", "csv").stdout.splitlines()
    assert rows[-1].startswith("5,series,")


def test_a_prevalence_says_nothing_of_the_series(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "s", stack(SLICES))
    result = call("predict", folder, "--model", tiny_bundle, "--prevalence", "0.05")
    *slices, series = records(result)
    assert all(line["probability_at_prevalence"] is not None for line in slices)
    assert series["probability_at_prevalence"] is None
    assert "--prevalence is about slices" in result.stderr


def test_a_lone_instance_has_no_series_line(tiny_bundle: Path, tmp_path: Path) -> None:
    lines = records(call("predict", write_dicom(tmp_path / "x", SLICES[0]), "--model", tiny_bundle))
    assert [(line["kind"], line["slice_index"]) for line in lines] == [("slice", None)]


def test_one_series_of_a_study_is_read(tiny_bundle: Path, tmp_path: Path) -> None:
    save(tmp_path / "a", stack(SLICES))
    save(tmp_path / "b", stack(SLICES, series=SERIES + ".2", spacing=2.0))
    result = call("predict", tmp_path, "--model", tiny_bundle)
    *slices, series, other = records(result)
    assert result.exit_code == 0
    assert (len(slices), series["status"], other["status"]) == (6, "ok", "refused")
    assert (other["reason"], other["series"]["answered"]) == ("not_chosen", 0)
    lines = records(call("predict", tmp_path, "--model", tiny_bundle, "--all-series"))
    assert [line["status"] for line in lines if line["kind"] == "series"] == ["ok", "ok"]
    assert len(lines) == 14


def test_frames_have_overlays_of_their_own(tiny_bundle: Path, tmp_path: Path) -> None:
    from makers import dicom_bytes

    (tmp_path / "v.dcm").write_bytes(dicom_bytes(enhanced(volume(4))))
    lines = records(
        call("predict", tmp_path / "v.dcm", "--model", tiny_bundle, "--heatmaps", tmp_path / "maps")
    )
    maps = {line["heatmap"] for line in lines if line["kind"] == "slice"}
    assert len(maps) == 4
    assert all(Path(path).is_file() for path in maps)


def test_a_broken_archive_is_an_error(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    result = call("predict", tmp_path / "x.zip", "--model", tiny_bundle)
    assert result.exit_code == 1
    assert "damaged ZIP archive" in records(result)[0]["message"]


def test_a_report_needs_a_series(tiny_bundle: Path, tmp_path: Path) -> None:
    path, page = write_png(tmp_path / "a.png", to_display(SLICES[0])), tmp_path / "page.html"
    result = call("predict", path, "--model", tiny_bundle, "--report", page)
    assert result.exit_code == 1
    assert f"No series, so no report: {page} is not written." in result.stderr
    assert not page.exists()


def test_a_report_is_written_whole(tiny_bundle: Path, tmp_path: Path) -> None:
    folder, page = save(tmp_path / "s", stack(SLICES)), tmp_path / "new" / "page.html"
    result = call("predict", folder, "--model", tiny_bundle, "--report", page)
    assert result.exit_code == 0
    assert f"Report: {page}" in result.stderr
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_real_series(shared_data: Path) -> None:
    """The model that ships: one series whole, one of which three slices in four are missing."""
    folder = shared_data / "dicom" / "lung-pet-ct-dx"
    lines = [line for line in records(call("predict", *sorted(folder.glob("Lung_Dx-*")))) if line["series"]]
    by_count = {line["series"]["slices"]: line["series"] for line in lines}
    assert by_count[30]["answered"] >= 25
    assert by_count[30]["notes"] == []
    assert by_count[16]["notes"][0].startswith(
        "Regular gaps: slices lie 20 mm apart, and the DICOM header gives a spacing of 5 mm"
    )
    assert {line["status"] for line in lines} == {"ok"}
