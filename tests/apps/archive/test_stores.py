"""An archive, and its table, in an object store that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from archives import Here, read_rows, run_here, save_study, strip
from covidct.apps.archive.places import _open_root, open_place
from covidct.errors import ArchiveError
from services.pacs import free_port
from services.stores import name_store, storing

ODD = "Série 1 #2/50%20+?x=1"  # letters that URIs would escape, and stores do not


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with storing() as port:
        yield port


@pytest.fixture
def store(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.FileSystem]:
    for name, value in name_store(port).items():
        monkeypatch.setenv(name, value)
    _open_root.cache_clear()
    yield open_place("s3://bucket").files
    _open_root.cache_clear()


def put(store: fs.FileSystem, folder: Path, name: str) -> None:
    fs.copy_files(
        str(folder), f"bucket/{name}", source_filesystem=fs.LocalFileSystem(), destination_filesystem=store
    )


def test_a_bucket_gives_what_a_folder_gives_and_takes_the_table(
    store: fs.FileSystem, tmp_path: Path, tiny_bundle: Path
) -> None:
    save_study(tmp_path / "in" / ODD, 1)
    (tmp_path / "in" / "broken.dcm").write_bytes(b"no DICOM")
    (tmp_path / "in" / "readme.txt").write_text("about")
    put(store, tmp_path / "in", "in")
    first = run_here("s3://bucket/in", out="s3://bucket/table", bundle=tiny_bundle)
    assert (first.slices, first.series, first.errors, first.left) == (5, 1, 1, 0)
    engine = Here()
    again = run_here("s3://bucket/in", out="s3://bucket/table", bundle=tiny_bundle, engine=engine)
    assert (again.known, engine.items) == (2, [])
    fs.copy_files("bucket/table", str(tmp_path / "table"), source_filesystem=store)
    run_here(tmp_path / "in", out=tmp_path / "folder", bundle=tiny_bundle)
    expected = strip(read_rows(tmp_path / "folder"), str(tmp_path))
    assert strip(read_rows(tmp_path / "table"), "s3://bucket") == expected
    assert len({row["path"] for row in expected}) == 6


def test_a_bucket_that_is_not_there_and_a_store_that_is_away_are_told(
    store: fs.FileSystem, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArchiveError, match=r"s3://none/in: cannot be listed .*check address, permissions"):
        run_here("s3://none/in", out=tmp_path / "out", bundle=tiny_bundle)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    _open_root.cache_clear()
    with pytest.raises(ArchiveError, match=r"s3://bucket/in: cannot be listed"):
        run_here("s3://bucket/in", out=tmp_path / "out", bundle=tiny_bundle)


@pytest.mark.parametrize(
    "address", ["s3://key:secret@bucket/in", "s3://bucket/in?endpoint_override=x:1&scheme=http"]
)
def test_keys_and_options_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ArchiveError, match=r"^s3://\.\.\.: no keys or options .*AWS_ENDPOINT_URL"):
        open_place(address)
