"""An archive of studies that lie in a real PACS, Debian's Orthanc, by DICOMweb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from archives import read_rows, run_here, save_study
from services.orthanc import Orthanc, running
from services.pacs import free_port


def store(pacs: Orthanc, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        answer = requests.post(f"http://127.0.0.1:{pacs.http}/instances", data=path.read_bytes(), timeout=20)
        answer.raise_for_status()


def find_answers(out: Path) -> dict[Any, Any]:
    return {row["instance_uid"] or row["series_uid"]: row["probability"] for row in read_rows(out)}


def test_a_pacs_gives_what_a_folder_gives_and_later_what_is_new(tmp_path: Path, tiny_bundle: Path) -> None:
    save_study(tmp_path / "in" / "one", 1)
    save_study(tmp_path / "in" / "two", 2, slices=5)
    with running(tmp_path, node_port=free_port(), forward=False) as pacs:
        store(pacs, tmp_path / "in" / "one")
        first = run_here(pacs.dicomweb, out=tmp_path / "out", bundle=tiny_bundle)
        assert (first.slices, first.series, first.errors, first.left) == (4, 1, 0, 0)
        store(pacs, tmp_path / "in" / "two")
        second = run_here(pacs.dicomweb, out=tmp_path / "out", bundle=tiny_bundle)
        assert (second.slices, second.series, second.known, second.left) == (5, 1, 1, 0)
        address = pacs.dicomweb
    run_here(tmp_path / "in", out=tmp_path / "folder", bundle=tiny_bundle)
    assert find_answers(tmp_path / "out") == find_answers(tmp_path / "folder")
    assert all(row["path"].startswith(f"{address}/studies/") for row in read_rows(tmp_path / "out"))
