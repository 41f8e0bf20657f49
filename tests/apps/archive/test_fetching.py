"""Archives in other places than this disk: object stores, networks that drop, DICOMweb servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from archives import read_rows, run_here, save_study, strip
from covidct.apps.archive.fetching import NO_MEMBER, Fetcher, Spot
from covidct.apps.archive.places import open_place
from covidct.apps.pacs import dicomweb
from covidct.errors import ArchiveError, DicomwebError, SourceDropped
from covidct.images.blob import FileBlob
from covidct.series.sources import Candidate


class Flaky(MemoryFileSystem):  # type: ignore[misc]
    """A store whose network drops while `is_down`, or for the next `drops` times that a file is opened."""

    protocol = "flaky"
    store: ClassVar[dict[str, Any]] = {}
    is_down = False
    drops = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("flaky://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "r" in mode and (type(self).is_down or type(self).drops > 0):
            type(self).drops -= 1
            raise OSError("network unreachable")
        return super()._open(path, mode, **options)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    monkeypatch.setattr("covidct.apps.archive.fetching.time.sleep", lambda _: None)
    yield fsspec.filesystem("flaky")
    Flaky.store.clear()
    Flaky.is_down, Flaky.drops = False, 0


def test_an_object_store_gives_what_a_folder_gives(
    store: fsspec.AbstractFileSystem, tmp_path: Path, tiny_bundle: Path
) -> None:
    save_study(tmp_path / "in" / "a", 1)
    (tmp_path / "in" / "broken.dcm").write_bytes(b"no DICOM")
    (tmp_path / "in" / "readme.txt").write_text("about")
    store.put(str(tmp_path / "in"), "/bucket/in", recursive=True)
    run_here("flaky://bucket/in", out=tmp_path / "store", bundle=tiny_bundle)
    run_here(tmp_path / "in", out=tmp_path / "folder", bundle=tiny_bundle)
    run_here(f"file://{tmp_path}/in", out=f"file://{tmp_path}/url", bundle=tiny_bundle)
    expected = strip(read_rows(tmp_path / "folder"), str(tmp_path))
    assert len(expected) == 6
    assert strip(read_rows(tmp_path / "url"), f"file://{tmp_path}") == expected
    assert strip(read_rows(tmp_path / "store"), "flaky://bucket") == expected


def test_a_network_that_drops_for_a_while_is_tried_again(
    store: fsspec.AbstractFileSystem, tmp_path: Path, tiny_bundle: Path
) -> None:
    save_study(tmp_path / "in", 1)
    store.put(str(tmp_path / "in"), "/bucket/in", recursive=True)
    Flaky.drops = 2
    assert run_here("flaky://bucket/in", out=tmp_path / "out", bundle=tiny_bundle).slices == 4


def test_what_cannot_be_had_is_named_and_waits_for_another_run(
    store: fsspec.AbstractFileSystem, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_study(tmp_path / "in", 1)
    store.put(str(tmp_path / "in"), "/bucket/in", recursive=True)
    told: list[Any] = []
    Flaky.is_down = True
    summary = run_here("flaky://bucket/in", out=tmp_path / "out", bundle=tiny_bundle, told=told)
    assert (summary.left, summary.slices) == (4, 0)
    lines = [line for step in told for line in step.told]
    assert any("IM0003: is not available now (network unreachable)" in line for line in lines)
    Flaky.is_down = False
    with monkeypatch.context() as patch:  # it drops after the headers
        patch.setattr(Fetcher, "find", _drop)
        assert run_here("flaky://bucket/in", out=tmp_path / "out", bundle=tiny_bundle).left == 1
    assert run_here("flaky://bucket/in", out=tmp_path / "out", bundle=tiny_bundle).slices == 4
    assert len(read_rows(tmp_path / "out")) == 5


def _drop(fetcher: Fetcher, spot: Spot) -> list[Candidate]:
    raise SourceDropped(f"{spot.path}: is not available now")


def test_a_missing_object_is_an_answer(store: fsspec.AbstractFileSystem) -> None:
    with Fetcher() as fetcher:
        (candidate,) = fetcher.find(Spot("flaky://bucket/none.dcm", NO_MEMBER, "flaky://bucket"))
        with pytest.raises(Exception, match="no such file; check the address"):
            candidate.blob.read()


def test_a_store_that_cannot_be_listed_is_told(tmp_path: Path, tiny_bundle: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot be listed .*check address, permissions and network"):
        run_here(f"file://{tmp_path}/none", out=tmp_path / "out", bundle=tiny_bundle)


def test_an_address_that_nobody_knows_is_told() -> None:
    with pytest.raises(ArchiveError, match="an address that pyarrow or fsspec knows"):
        open_place("gopher://old/thing")


class Server:
    """A DICOMweb server with the studies in `folder`, one a subfolder."""

    folder: Path
    fails = False

    def __init__(self, url: str):
        self.url = url

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find_studies(self) -> list[tuple[str, int]]:
        return [(study.name, len(list(study.iterdir()))) for study in sorted(self.folder.iterdir())]

    def fetch(self, study: str, folder: Path) -> Sequence[Candidate]:
        if self.fails:
            raise DicomwebError(f"{self.url}: cannot be reached")
        address = f"{self.url}/studies/{study}"
        return [
            Candidate(FileBlob(path, f"{address}/{path.name}"), address)
            for path in sorted((self.folder / study).iterdir())
        ]


def test_studies_of_a_dicomweb_server(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_study(tmp_path / "server" / "1.2.1", 1)
    save_study(tmp_path / "server" / "1.2.2", 2)
    monkeypatch.setattr(dicomweb, "Archive", Server)
    Server.folder = tmp_path / "server"
    monkeypatch.setattr(Server, "fails", True)
    assert run_here("https://pacs/web", out=tmp_path / "out", bundle=tiny_bundle).left == 2
    monkeypatch.setattr(Server, "fails", False)
    summary = run_here("https://pacs/web", out=tmp_path / "out", bundle=tiny_bundle)
    assert (summary.slices, summary.series, summary.left) == (8, 2, 0)
    save_study(tmp_path / "server" / "1.2.2", 2, slices=5)
    summary = run_here("https://pacs/web", out=tmp_path / "out", bundle=tiny_bundle)
    assert (summary.slices, summary.series, summary.known, summary.superseded) == (5, 1, 1, 1)
    assert read_rows(tmp_path / "out")[0]["path"] == "https://pacs/web/studies/1.2.1"


def test_a_study_whose_uid_climbs_out_is_fetched_into_the_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its UID is a server's word."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    places: list[Path] = []

    def fetch(_: dicomweb.Archive, __: str, folder: Path) -> list[Candidate]:
        places.append(folder)
        return []

    monkeypatch.setattr(dicomweb.Archive, "fetch", fetch)
    with Fetcher() as fetcher:
        fetcher.find(Spot("https://pacs/web/studies/../../climbs", NO_MEMBER, "https://pacs/web"))
        assert places[0].is_dir()
        (private,) = tmp_path.iterdir()
        assert places[0].resolve().is_relative_to(private)
    assert list(tmp_path.iterdir()) == []
