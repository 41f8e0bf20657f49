from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from covidct.apps.cli.commands.augment import run_augment
from covidct.data.manifest import DataPlan, read_manifest
from covidct.errors import ManifestError
from covidct.training.augment_offline import Enlargement
from makers import phantom_hu, write_png
from training import write_phantoms

PLAN = DataPlan()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 slices of either class."""
    return write_phantoms(tmp_path_factory.mktemp("slices"), size=40)


def write_classes(folder: Path, **counts: int) -> Path:
    """A folder with one sub-folder a class."""
    shown = (phantom_hu(size=40) // 16 + 64).clip(0, 255).astype("uint8")
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            write_png(folder / label / f"{number}.png", shown)
    return folder


def test_a_manifest_becomes_a_folder(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    table = run_augment(manifest, out, PLAN, Enlargement(60))
    assert table.splitlines() == [
        "label      originals  copies  slices",
        "covid             24       6      30",
        "non-covid         24       6      30",
    ]
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "copying" in streams.err
    rows = read_manifest(out / "manifest.csv").rows
    assert Counter(row.label for row in rows) == {"covid": 30, "non-covid": 30}
    assert {row.source for row in rows} == {"north", "south"}
    assert all(row.path.is_file() and row.patient_id for row in rows)
    assert {path.name for path in out.iterdir()} == {"covid", "non-covid", "manifest.csv"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_other_rows_stay_out(manifest: Path, tmp_path: Path) -> None:
    lines = manifest.read_text().splitlines()
    lines[1] = lines[1].replace("non-covid", "ood")
    wide = manifest.with_name("with-others.csv")
    wide.write_text("\n".join(lines))
    run_augment(wide, tmp_path / "out", PLAN, Enlargement(48))
    rows = read_manifest(tmp_path / "out" / "manifest.csv").rows
    assert Counter(row.label for row in rows) == {"covid": 24, "non-covid": 24}
    assert sum(row.parent is not None for row in rows) == 1


def test_rows_that_a_note_leaves_out_are_counted(manifest: Path, tmp_path: Path) -> None:
    lines = manifest.read_text().splitlines()
    lines[1] += "label conflict"
    noted = manifest.with_name("noted.csv")
    noted.write_text("\n".join(lines))
    table = run_augment(noted, tmp_path / "out", PLAN, Enlargement(48))
    assert table.endswith("Left out, as their note says 'label conflict': 1.")
    assert "Left out" not in run_augment(manifest, tmp_path / "all", PLAN, Enlargement(48))


def test_a_folder_of_classes(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", ill=3, healthy=2)
    plan = DataPlan(positive=("ill",), negative=("healthy",))
    run_augment(data, tmp_path / "out", plan, Enlargement(8))
    assert len(list((tmp_path / "out" / "ill").iterdir())) == 4
    assert len(list((tmp_path / "out" / "healthy").iterdir())) == 4
    assert {row.source for row in read_manifest(tmp_path / "out" / "manifest.csv").rows} == {"data"}


def test_copies_shall_not_lie_among_the_slices(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", covid=1, **{"non-covid": 1})
    with pytest.raises(ManifestError, match=r"is in .*data"):
        run_augment(data, data / "covid" / "more", PLAN, Enlargement(4))
    assert len(list(data.rglob("*"))) == 4


@pytest.mark.parametrize("name", ["out", "out.partial"])
def test_what_is_there_is_left_alone(manifest: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious.txt").write_text("mine")
    with pytest.raises(ManifestError, match=f"{name}: (already exists|was left by an interrupted run)"):
        run_augment(manifest, tmp_path / "out", PLAN, Enlargement(60))
    assert [path.name for path in tmp_path.rglob("*")] == [name, "precious.txt"]


@pytest.mark.parametrize("place", [".", "/"])
def test_places_without_a_name(manifest: Path, place: str) -> None:
    with pytest.raises(ManifestError, match="already exists"):
        run_augment(manifest, Path(place), PLAN, Enlargement(60))


def test_a_link_that_leads_nowhere_is_something(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    with pytest.raises(ManifestError, match="already exists"):
        run_augment(manifest, tmp_path / "out", PLAN, Enlargement(60))


@pytest.mark.parametrize(
    ("to", "words"),
    [(61, "give an even number"), (46, "more than its half; give --to 48 or more"), (0, "give --to 48")],
)
def test_sizes_that_cannot_be(manifest: Path, tmp_path: Path, to: int, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        run_augment(manifest, tmp_path / "out", PLAN, Enlargement(to))
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_read_leave_nothing_behind(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", covid=2, **{"non-covid": 2})
    (data / "non-covid" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(ManifestError, match=r"non-covid.1\.png"):
        run_augment(data, tmp_path / "out", PLAN, Enlargement(8))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_run_that_is_stopped_leaves_nothing_behind(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("covidct.training.augment_offline.turn", stop)
    with pytest.raises(KeyboardInterrupt):
        run_augment(manifest, tmp_path / "out", PLAN, Enlargement(60))
    assert not list(tmp_path.iterdir())


def test_copies_in_other_splits_than_train_are_told(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", covid=2, **{"non-covid": 1})
    manifest = tmp_path / "data" / "manifest.csv"
    head, *lines = ("path,label,patient_id,split", "covid/0.png,covid,a,train", "covid/1.png,covid,b,test")
    manifest.write_text("\n".join((head, *lines, "non-covid/0.png,non-covid,c,tune")))
    table = run_augment(manifest, tmp_path / "out", PLAN, Enlargement(8))
    assert table.splitlines()[3:] == [
        "Copies are in tune and test (4): measure on originals only, the rows without a parent."
    ]
    named = run_augment(data / "manifest.csv", tmp_path / "none", PLAN, Enlargement(4))
    assert "Copies are in tune (1):" in named


def test_what_has_neither_patient_nor_split_must_be_split_with_care(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", covid=1, **{"non-covid": 1})
    table = run_augment(data, tmp_path / "out", PLAN, Enlargement(4))
    assert table.splitlines()[-1].endswith("divide the set with `covidct split`.")
