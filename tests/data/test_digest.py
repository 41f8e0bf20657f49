from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from covidct.data.digest import check_digest, digest_data, write_digest
from covidct.data.manifest import DataPlan, Row
from covidct.errors import ManifestError


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Two slices, as far as their bytes go."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return [Row(tmp_path / name, "covid", "x", "p", "train", "") for name in ("a", "b")]


def test_the_same_data_go_on(rows: list[Row], tmp_path: Path) -> None:
    data = digest_data(rows, DataPlan())
    check_digest(tmp_path, data, begun=False)
    write_digest(tmp_path, data)
    check_digest(tmp_path, digest_data(rows, DataPlan()), begun=False)


@pytest.mark.parametrize("change", [{"label": "non-covid"}, {"split": "tune"}])
def test_other_labels_or_splits_are_refused(rows: list[Row], tmp_path: Path, change: dict[str, str]) -> None:
    write_digest(tmp_path, digest_data(rows, DataPlan()))
    other = [replace(rows[0], **change), rows[1]]  # type: ignore[arg-type]
    with pytest.raises(ManifestError, match="holds a run on other slices, labels or splits; choose another"):
        check_digest(tmp_path, digest_data(other, DataPlan()), begun=False)


def test_other_bytes_are_refused(rows: list[Row], tmp_path: Path) -> None:
    write_digest(tmp_path, digest_data(rows, DataPlan()))
    rows[0].path.write_text("c")
    with pytest.raises(ManifestError, match="holds a run on other pictures; choose"):
        check_digest(tmp_path, digest_data(rows, DataPlan()), begun=False)


def test_other_pretrained_weights_are_refused(rows: list[Row], tmp_path: Path) -> None:
    write_digest(tmp_path, digest_data(rows, DataPlan(), pretrained="12"))
    with pytest.raises(ManifestError, match="holds a run on other pretrained weights; choose"):
        check_digest(tmp_path, digest_data(rows, DataPlan(), pretrained="34"), begun=False)


def test_a_run_that_does_not_say_of_what_data_is_refused(rows: list[Row], tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"holds a run, but no data\.json"):
        check_digest(tmp_path, digest_data(rows, DataPlan()), begun=True)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"7", b"\xff"])
def test_a_damaged_digest_is_named(rows: list[Row], tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data.json").write_bytes(data)
    with pytest.raises(ManifestError, match=rf"^{tmp_path / 'data.json'}: is damaged, .*choose"):
        check_digest(tmp_path, digest_data(rows, DataPlan()), begun=True)
