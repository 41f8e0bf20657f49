from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from covidct.audit.probes.shortcut_floor import NO_PIXEL, measure_floor
from covidct.data.manifest import DataPlan, Manifest, read_manifest
from covidct.errors import ManifestError
from makers import write_png
from training import write_phantoms


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(write_phantoms(tmp_path_factory.mktemp("slices"), patients=10))


def test_a_frame_around_covid_slices_is_found_at_the_border(manifest: Manifest, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(40):
        pixels = rng.integers(60, 160, (64, 64)).astype(np.uint8)
        if number % 2:
            pixels[:3] = pixels[-3:] = 255
        write_png(tmp_path / f"{number}.png", pixels)
        label = ("non-covid", "covid")[number % 2]
        rows.append(
            replace(manifest.rows[0], path=tmp_path / f"{number}.png", label=label, patient_id=f"{number}")
        )
    floor = measure_floor(replace(manifest, rows=tuple(rows)), DataPlan())
    assert floor["border"].value == 1.0
    assert floor[NO_PIXEL].value == 0.5


def test_files_alone_are_a_floor_too(manifest: Manifest, tmp_path: Path) -> None:
    rows = []
    for number, row in enumerate(manifest.rows):
        side = 64 + 8 * (row.label == "covid")
        write_png(tmp_path / f"{number}.png", np.full((64, side), 90, np.uint8))
        rows.append(replace(row, path=tmp_path / f"{number}.png"))
    floor = measure_floor(replace(manifest, rows=tuple(rows)), DataPlan())
    assert floor[NO_PIXEL].value == 1.0


def test_one_label_has_no_floor_and_says_why(manifest: Manifest) -> None:
    rows = tuple(row for row in manifest.rows if row.label == "non-covid")
    floor = measure_floor(replace(manifest, rows=rows), DataPlan())
    assert {estimate.value for estimate in floor.values()} == {None}
    assert floor["border"].reason is not None
    with pytest.raises(ManifestError, match="no row has a label"):
        measure_floor(replace(manifest, rows=rows), DataPlan(negative=("healthy",)))
