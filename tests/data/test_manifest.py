from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.data.manifest import (
    SPLITS,
    DataPlan,
    Manifest,
    Row,
    read_manifest,
    select_rows,
    to_label,
    write_manifest,
)
from covidct.data.patient_ids import MISSING
from covidct.errors import ManifestError

HEAD = "path,label,source,patient_id,split,note\n"


def read(folder: Path, text: str | bytes) -> Manifest:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_manifest(path)


def test_reads_rows(tmp_path: Path) -> None:
    text = HEAD + 'a/1.png,covid,here,p1,train,\n"b, 2.png", non-covid ,,,,"said ""twice"""\n'
    manifest = read(tmp_path, text)
    assert manifest.path == tmp_path / "manifest.csv"
    assert manifest.digest == hashlib.sha256(text.encode()).hexdigest()
    assert manifest.rows == (
        Row(tmp_path / "a/1.png", "covid", "here", "p1", "train", ""),
        Row(tmp_path / "b, 2.png", "non-covid", "unnamed", "", "", 'said "twice"'),
    )


def test_two_columns_in_any_order_are_enough(tmp_path: Path) -> None:
    manifest = read(
        tmp_path, "label,extra,path\ncovid,?,a.png\n\nood,?,/b.png\ncovid\n".replace("covid\n", "")
    )
    assert [row.path for row in manifest.rows] == [tmp_path / "a.png", Path("/b.png")]
    assert manifest.rows[0].source == "unnamed"


@pytest.mark.parametrize(
    "text", ["\ufeff" + HEAD + "a.png,covid\n", HEAD.replace("\n", "\r\n") + "a.png,covid\r\n"]
)
def test_files_of_a_spreadsheet(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).rows == (Row(tmp_path / "a.png", "covid", "unnamed", "", "", ""),)


def test_ends_of_lines_in_names(tmp_path: Path) -> None:
    manifest = read(tmp_path, HEAD + '"a\nb\u2028c.png",covid\nd\x0be.png,covid\n')
    assert [row.path.name for row in manifest.rows] == ["a\nb\u2028c.png", "d\x0be.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": no column named label and none named path; its first line has nothing"),
        ("path,labels\na.png,covid\n", ": no column named label; its first line has path, labels"),
        (HEAD, ": holds no rows; list one slice a line"),
        (
            "path,label\né.png,covid\n".encode("latin-1"),
            ": cannot be read as a manifest: not UTF-8; save it as CSV UTF-8",
        ),
        (b"\x89PNG\r\n\x1a\n", ": cannot be read as a manifest"),
        (HEAD + "a" * 200_000 + ",covid\n", ", line 2: cannot be read as a manifest: field larger"),
        (HEAD + 'a.png,covid\n"b.png,covid\nc.png,covid\n', ", line 3: .*quotation mark that is not closed"),
        (HEAD + 'a.png,covid\nb.png,covid,x,1,,"no\nc.png,covid,x,1,,"no\n', ", line 3: .*quotation mark"),
        (HEAD + "C:\\set\\a.png,covid\n", ", line 2: C:.*Windows drive; write paths relative"),
        (HEAD + "a.png,covid\n,covid\n", ", line 3: no path; remove the line or name the file"),
        (
            HEAD + '"a\n.png",covid\n\na.png,covid,,,validation\n',
            ", line 5: split 'validation' is not one of train, tune",
        ),
        (HEAD + "a.png,covid,,,Train\n", ", line 2: split 'Train' is not one of"),
        (HEAD + "a.png,covid,,,,,\n", ", line 2: more cells than columns; quote names with commas"),
        (HEAD + "a.png,covid\nb.png,covid\n./a.png,ood\n", ": .*a.png is listed twice; keep one line"),
    ],
)
def test_what_makes_no_manifest(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=rf"^{tmp_path / 'manifest.csv'}{message}"):
        read(tmp_path, text)


def test_paths_of_windows_lead_to_the_file(tmp_path: Path) -> None:
    (tmp_path / r"as\named.png").touch()
    rows = read(tmp_path, HEAD + "a\\b c\\1.png,covid\n..\\2.png,covid\nas\\named.png,covid\n").rows
    assert [row.path for row in rows] == [
        tmp_path / "a/b c/1.png",
        tmp_path / "../2.png",
        tmp_path / r"as\named.png",
    ]


def test_ids_are_made_comparable_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read(
        tmp_path,
        HEAD + "a.png,covid,here,007\nb.png,covid,here,7\nc.png,covid,there,07\nd.png,covid,here,nan\n",
    ).rows
    assert [row.patient_id for row in rows] == ["7", "7", "07", ""]
    told = capsys.readouterr().err
    assert "ids that say nothing (nan) count as missing, in 1 rows" in told
    assert "count as one patient, as 007 and 7 of source here" in told


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ManifestError, match=f"^{path}: cannot be read as a manifest"):
            read_manifest(path)


def test_large(tmp_path: Path) -> None:
    lines = (f"s{number}.png,covid,here,p{number // 9},train,\n" for number in range(100_000))
    manifest = read(tmp_path, HEAD + "".join(lines))
    assert len(manifest.rows) == 100_000
    assert manifest.rows[-1].patient_id == "p11111"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8).map(str.strip)
NAMES = TEXT.filter(lambda text: bool(text) and text not in (".", "..") and not set(text) & set("/\\"))
IDS = TEXT.filter(lambda text: text.casefold() not in MISSING)  # which are read as none


@settings(deadline=None, max_examples=25)
@given(
    names=st.lists(NAMES, min_size=1, max_size=5, unique=True),
    words=st.tuples(TEXT, NAMES, IDS, TEXT),
    split=st.sampled_from(("", *SPLITS)),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], words: tuple[str, str, str, str], split: str
) -> None:
    folder = tmp_path_factory.mktemp("round")
    label, source, patient, note = words
    rows = tuple(Row(folder.resolve() / name, label, source, patient, split, note) for name in names)
    write_manifest(rows, folder / "out.csv")
    assert read_manifest(folder / "out.csv").rows == rows
    assert [path.name for path in folder.iterdir()] == ["out.csv"]


def test_written_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest([Row(Path("a/../b.png"), "covid", "here", "", "", "")], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["path"] == str(tmp_path.resolve() / "b.png")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Six slices of two sources, all with files."""
    labels = ("covid", "non-covid", "no-lesion", "ood", "", "covid")
    rows = []
    for number, label in enumerate(labels):
        path = tmp_path / f"{number}.png"
        path.touch()
        note = "label conflict with 2.png" if number == 5 else "blurred"
        rows.append(Row(path, label, "there" if number == 2 else "here", "", "", note))
    return Manifest(tmp_path / "manifest.csv", "", tuple(rows))


def names(rows: tuple[Row, ...]) -> list[str]:
    return [row.path.stem for row in rows]


def test_selects_by_label_source_and_note(manifest: Manifest) -> None:
    assert names(select_rows(manifest, DataPlan())) == ["0", "1", "2"]
    assert names(select_rows(manifest, DataPlan(sources=("there",)))) == ["2"]
    assert names(select_rows(manifest, DataPlan(exclude_note=""))) == ["0", "1", "2", "5"]
    assert names(select_rows(manifest, DataPlan(exclude_note="blur"))) == ["5"]
    assert names(select_rows(manifest, DataPlan(negative=("ood",)))) == ["0", "3"]


def test_labels() -> None:
    row = Row(Path("a"), "covid", "", "", "", "")
    assert to_label(row, DataPlan()) == 1
    assert to_label(replace(row, label="no-lesion"), DataPlan()) == 0


def test_nothing_selected(manifest: Manifest) -> None:
    with pytest.raises(
        ManifestError, match=r"manifest.csv: has no source elsewhere; change \[data\] sources"
    ):
        select_rows(manifest, DataPlan(sources=("here", "elsewhere")))
    with pytest.raises(
        ManifestError, match=r"manifest.csv: no row has a label of tumour, pneumonia; there are "
    ):
        select_rows(manifest, DataPlan(positive=("tumour",), negative=("pneumonia",)))


def test_missing_files_are_counted(manifest: Manifest) -> None:
    for name in ("1.png", "2.png", "3.png"):  # the last is of no label that is wanted
        (manifest.path.parent / name).unlink()
    with pytest.raises(
        ManifestError, match=r"2 of 3 files are missing, the first is .*1.png; paths are relative"
    ):
        select_rows(manifest, DataPlan())


@pytest.mark.parametrize(
    "name", ["Split", "SPLIT", "PatientID", "patient id", "Patient-Id", "patient", "notes"]
)
def test_a_column_that_nearly_fits_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.csv").write_text(f"path,label,{name}\na.png,covid,test\n")
    with pytest.raises(
        ManifestError, match=rf"the column '{name}' is not read; is it (split|patient_id|note)\?"
    ):
        read_manifest(tmp_path / "m.csv")


def test_other_columns_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.csv").write_text("path,label,patient_id,patient,study\na.png,covid,1,2,3\n")
    assert read_manifest(tmp_path / "m.csv").rows[0].patient_id == "1"
    assert capsys.readouterr().err.endswith("columns ignored: patient, study\n")


def test_a_label_in_other_letters_is_an_error_not_dropped(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label\na.png,covid\nb.png,COVID\nc.png,NonCovid\n")
    with pytest.raises(ManifestError, match="1 rows are labelled 'COVID', which is not 'covid'"):
        select_rows(read_manifest(tmp_path / "m.csv"), DataPlan())
