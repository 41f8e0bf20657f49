from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from covidct.images.hounsfield import to_display
from covidct.images.orientation import turn
from covidct.series import assembly
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from covidct.series.types import RefusedSeries, Series, Study
from covidct.types import Reason
from makers import dicom_bytes, write_dicom, write_png
from stacks import SERIES, STUDY, save, stack
from studies import SLICES, backwards, halves, rotated, shuffled, singly, stored_turned, zipped


def pixels(series: Series) -> list[Any]:
    items = map(read_instance, series.instances)
    return [turn(item.pixels, item.turn).tolist() for item in items]


EXPECTED = [to_display(hu).tolist() for hu in SLICES]


def only(study: Study) -> Series:
    assert (len(study.series), study.refused, study.loose, study.skipped) == (1, (), (), ())
    return study.series[0]


def tell(series: Series) -> tuple[str, ...]:
    return tuple(note.text for note in series.notes)


def refused(study: Study) -> RefusedSeries:
    assert (study.series, len(study.refused)) == ((), 1)
    return study.refused[0]


def test_a_series_is_sorted_from_feet_to_head(tmp_path: Path) -> None:
    series = only(read_study([save(tmp_path / "s", stack(SLICES))]))
    assert (series.uid, series.path, series.notes) == (SERIES, str(tmp_path / "s"), ())
    assert pixels(series) == EXPECTED
    assert [item.sop_instance_uid for item in series.instances] == [f"{SERIES}.{at}" for at in range(1, 7)]
    assert series.acquisition.spacing_mm == 5
    positions = [item.position_mm for item in series.instances]
    assert positions == sorted(positions, key=float)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arrange",
    [shuffled, backwards, halves, singly, zipped, rotated(20), rotated(-35)]
    + [stored_turned(quarters) for quarters in (1, 2, 3)],
)
def test_the_same_series_however_it_comes(tmp_path: Path, arrange: Callable[[Path], list[Path]]) -> None:
    series = only(read_study(arrange(tmp_path / "s")))
    assert pixels(series) == EXPECTED
    assert [item.sop_instance_uid for item in series.instances] == [f"{SERIES}.{at}" for at in range(1, 7)]
    assert series.notes == ()


def test_bytes_in_memory(tmp_path: Path) -> None:
    given = [(f"upload {at}", dicom_bytes(dataset)) for at, dataset in enumerate(stack(SLICES))]
    series = only(read_study(given))
    assert pixels(series) == EXPECTED
    packed = zipped(tmp_path / "s")[0].read_bytes()
    series = only(read_study([("study.zip", packed)]))
    assert pixels(series) == EXPECTED
    assert series.instances[0].path.startswith("study.zip/deep/er/IM")


def test_pixels_are_read_when_asked_for(tmp_path: Path) -> None:
    series = only(read_study([save(tmp_path / "s", stack(SLICES))]))
    shutil.rmtree(tmp_path / "s")
    from covidct.errors import ReadError

    with pytest.raises(ReadError, match="no such file"):
        read_instance(series.instances[0])


def test_a_lone_instance_is_a_slice(tmp_path: Path) -> None:
    datasets = [*stack(SLICES[:1]), *stack(SLICES[:1], series=SERIES + ".2")]
    study = read_study([save(tmp_path, datasets)])
    assert (study.series, study.refused, len(study.loose)) == ((), (), 2)


def test_one_instance_in_several_files_is_no_series(tmp_path: Path) -> None:
    datasets = [*stack(SLICES[:1]), *stack(SLICES[1:2])]
    study = read_study([save(tmp_path, datasets, ["a", "b"])])
    assert (study.series, study.refused, len(study.loose)) == ((), (), 2)


def test_pictures_and_other_files_are_loose_in_order(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", to_display(SLICES[0]))
    write_dicom(tmp_path / "b.dcm", SLICES[0])
    (tmp_path / "c.dcm").write_bytes(b"no DICOM")
    (tmp_path / "d.txt").write_text("notes")
    study = read_study([tmp_path, tmp_path / "missing"])
    assert [Path(item.path).name for item in study.loose] == ["a.png", "b.dcm", "c.dcm", "missing"]
    assert study.skipped == (str(tmp_path / "d.txt"),)


def test_a_series_of_an_uploaded_folder_is_named_after_it() -> None:
    files = [(f"CD 3/IMAGES/{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate(stack(SLICES))]
    (series,) = read_study(files).series
    assert series.path == "CD 3"
    assert series.instances[0].path == "CD 3/IMAGES/0.dcm"


def test_one_path_twice_is_two_slices(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", to_display(SLICES[0]))
    assert len(read_study([path, path]).loose) == 2


# --- what is told


def test_exact_copies_are_told_and_stand_alone(tmp_path: Path) -> None:
    save(tmp_path / "a", stack(SLICES))
    save(tmp_path / "b", stack(SLICES)[:2])
    study = read_study([tmp_path / "a", tmp_path / "b"])
    assert len(study.series[0].instances) == 6
    assert tell(study.series[0]) == ("2 instances are in it twice: listed separately, not counted here.",)
    assert len(study.loose) == 2


@pytest.mark.parametrize(("whole", "cut"), [("a", "b"), ("b", "a")])
def test_a_copy_that_was_cut_off_gives_way_to_the_whole_one(tmp_path: Path, whole: str, cut: str) -> None:
    save(tmp_path / whole, stack(SLICES))
    for path in save(tmp_path / cut, stack(SLICES)[:2]).iterdir():
        path.write_bytes(path.read_bytes()[:-1000])
    study = read_study([tmp_path / "a", tmp_path / "b"])
    assert {Path(item.path).parent.name for item in study.series[0].instances} == {whole}
    assert {Path(item.path).parent.name for item in study.loose} == {cut}


def test_slices_in_one_place_are_told(tmp_path: Path) -> None:
    again = stack(SLICES[2:3], origin=(-100, -100, -290), SOPInstanceUID="1.2.3.4")
    for order in ([*stack(SLICES), *again], [*again, *stack(SLICES)]):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        study = read_study([save(tmp_path / "s", order)])
        (series,) = study.series
        assert len(series.instances) == 6
        assert tell(series) == ("1 instance is where another is: listed separately, not counted here.",)
        # Whichever file comes first, the same one is taken: by InstanceNumber.
        assert [item.sop_instance_uid for item in study.loose] == [f"{SERIES}.3"]


def test_gaps_are_told(tmp_path: Path) -> None:
    datasets = stack(SLICES)
    series = only(read_study([save(tmp_path, [*datasets[:2], *datasets[3:]])]))
    assert series.notes[0].text.startswith("Gaps: about 1 slice missing at")


def test_a_localiser_in_the_series_is_told(tmp_path: Path) -> None:
    scout = stack(
        SLICES[:1],
        orientation=(1, 0, 0, 0, 0, -1),
        SOPInstanceUID="1.2.3.4",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    study = read_study([save(tmp_path, [*scout, *stack(SLICES)])])
    assert tell(study.series[0]) == ("1 instance is a localiser: listed separately, not counted here.",)
    assert [item.sop_instance_uid for item in study.loose] == ["1.2.3.4"]


def test_a_mixture_is_told(tmp_path: Path) -> None:
    datasets = stack(SLICES)
    for dataset in datasets[:2]:
        dataset.ConvolutionKernel = "B70f"
    assert tell(only(read_study([save(tmp_path, datasets)]))) == (
        "ConvolutionKernel varies: B70f, \N{EN DASH}.",
    )


def each(**tags: Any) -> Callable[[], list[Dataset]]:
    return lambda: stack(SLICES, **tags)


def mixed(**tags: Any) -> Callable[[], list[Dataset]]:
    return lambda: [*stack(SLICES[:3]), *stack(SLICES[3:], **tags, origin=(0, 0, 0), series=SERIES + ".2")]


@pytest.mark.parametrize(
    ("make", "reason", "words"),
    [
        (lambda: stack(SLICES[:2]), Reason.TOO_FEW_SLICES, "2 slices, and 3 make a series"),
        (each(ImagePositionPatient=None), Reason.MIXED_GEOMETRY, "without ImagePositionPatient"),
        (each(ImageOrientationPatient=None), Reason.MIXED_GEOMETRY, "without ImagePositionPatient or"),
        (each(ImageOrientationPatient=[0] * 6), Reason.MIXED_GEOMETRY, "without ImagePositionPatient or"),
        (each(ImagePositionPatient=[0, 0, 0]), Reason.MIXED_GEOMETRY, "at the same position"),
        (mixed(orientation=(1, 0, 0, 0, 0.9, 0.436)), Reason.MIXED_GEOMETRY, "different orientations"),
        (mixed(PixelSpacing=[0.5, 0.5]), Reason.MIXED_GEOMETRY, "different sizes or PixelSpacing"),
        (each(orientation=(1, 0, 0, 0, 0, -1)), Reason.NOT_AXIAL, "coronal slices"),
        (each(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), Reason.LOCALISER, "a localiser"),
        (each(ImageType=["DERIVED", "SECONDARY", "MIP"]), Reason.DERIVED, r"ImageType MIP"),
        (each(Modality="MR", SOPClassUID=uid.MRImageStorage), Reason.NOT_CT, "Modality MR"),
        (each(Modality="DX"), Reason.RADIOGRAPH, "Modality DX"),
    ],
)
def test_what_is_no_series_is_refused(
    tmp_path: Path, make: Callable[[], Sequence[Dataset]], reason: Reason, words: str
) -> None:
    datasets = make()
    for dataset in datasets:
        dataset.SeriesInstanceUID = SERIES
    study = read_study([save(tmp_path, datasets)])
    series = refused(study)
    assert series.reason is reason
    assert words in series.message
    assert series.message.startswith(str(tmp_path))
    # Nothing is lost: each of them is still answered for, or refused, as a slice.
    assert len(study.loose) == len(datasets)


def test_a_broken_header_is_a_loose_slice(tmp_path: Path) -> None:
    save(tmp_path, stack(SLICES))
    whole = dicom_bytes(stack(SLICES)[0])
    (tmp_path / "cut.dcm").write_bytes(whole[:200])
    study = read_study([tmp_path])
    assert len(study.series[0].instances) == 6
    assert [Path(item.path).name for item in study.loose] == ["cut.dcm"]


def test_badly_formed_values_cost_nothing(tmp_path: Path) -> None:
    from pydicom import config

    with config.disable_value_validation():
        datasets = stack(SLICES, StudyDate="yesterday", SeriesDescription="x" * 80, PatientID="\n")
        series = only(read_study([save(tmp_path, datasets)]))
    assert series.acquisition.study_date == "yesterday"
    assert series.acquisition.patient_id is None


# --- one of a study


def test_another_series_of_the_study_is_refused(tmp_path: Path) -> None:
    thick, thin = stack(SLICES), stack(SLICES, series=SERIES + ".2", spacing=2.0, SeriesDescription="thin")
    save(tmp_path / "a", thick)
    save(tmp_path / "b", thin)
    study = read_study([tmp_path])
    assert [series.uid for series in study.series] == [SERIES + ".2"]
    (other,) = study.refused
    assert (other.reason, study.loose) == (Reason.NOT_CHOSEN, ())
    assert "series 2 'thin' of the same study: its slices are thinner" in other.message
    assert len(read_study([tmp_path], all_series=True).series) == 2


def test_every_study_has_its_series(tmp_path: Path) -> None:
    save(tmp_path / "a", stack(SLICES))
    save(tmp_path / "b", stack(SLICES, series="1.2.3", StudyInstanceUID="1.2"))
    assert {series.acquisition.study_uid for series in read_study([tmp_path]).series} == {STUDY, "1.2"}


def test_real_series(shared_data: Path) -> None:
    folder = shared_data / "dicom" / "lung-pet-ct-dx"
    study = read_study(sorted(folder.glob("Lung_Dx-*")))
    parts, whole = sorted(study.series, key=lambda series: len(series.instances))
    assert (len(parts.instances), len(whole.instances), study.refused) == (16, 30, ())
    assert "about 75 % of the slices are missing" in parts.notes[0].text
    assert whole.notes == ()
    for series in study.series:
        positions = [item.position_mm or 0 for item in series.instances]
        assert {round(after - before) for before, after in pairwise(positions)} in ({20}, {8})


def test_what_nobody_foresaw_in_one_series_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = assembly.assemble

    def fail(uid: str, *given: Any, **named: Any) -> assembly.Assembled:
        if uid != SERIES:
            return whole(uid, *given, **named)
        raise KeyError("Rows")

    monkeypatch.setattr(assembly, "assemble", fail)
    bad, good = save(tmp_path / "bad", stack(SLICES)), save(tmp_path / "good", stack(SLICES, series="1.2.3"))
    study = read_study([bad, good], all_series=True)
    assert [series.uid for series in study.series] == ["1.2.3"]
    (series,) = study.refused
    assert (series.reason, series.series.uid, len(study.loose)) == (Reason.UNREADABLE, SERIES, 6)
    assert series.message.startswith(f"{bad}: series {SERIES}: cannot be put in order ('Rows')")
