from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from covidct.apps.cli.main import main
from covidct.data.manifest import Row, read_manifest
from covidct.data.split import assign_splits
from covidct.errors import ManifestError, RecipeError
from covidct.training import learning_rates as rates
from covidct.training.fit_lung_finder import FINDER
from covidct.training.learning_rates import find_rate, suggest_rate
from covidct.training.run import Job, choose_rates, search_rates
from training import tiny_recipe, write_phantoms

TINY = """
name = "tiny"
network = "six_layers"
pretrained = false
size = 64
batch = 4
balance = false

[[phases]]
name = "first"
epochs = 1
rate = 1e-3

[[phases]]
name = "second"
epochs = 1
rate = 1e-4
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    manifest = write_phantoms(tmp_path_factory.mktemp("slices"), patients=3)
    return assign_splits(read_manifest(manifest).rows, tiny_recipe().data)


def test_the_rate_grows_evenly_and_the_search_is_written(
    rows: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "STEPS", 12)
    found = find_rate(tiny_recipe(), rows, out=tmp_path, pretrained=None)
    assert found.rates[0] == pytest.approx(1e-6)
    ratios = np.diff(np.log10(found.rates))
    assert ratios == pytest.approx(6 / 11)
    assert found.suggestion in found.rates
    assert all(math.isfinite(loss) for loss in found.losses)
    with (tmp_path / "rates-1.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["rate"]) for line in lines] == list(found.rates)
    with Image.open(tmp_path / "rates-1.png") as image:
        assert min(image.size) > 400


def test_the_same_seed_finds_the_same(
    rows: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "STEPS", 5)
    first, again = (find_rate(tiny_recipe(), rows, out=tmp_path, pretrained=None, phase=1) for _ in range(2))
    assert first == again


def test_the_search_ends_where_the_loss_blows_up(
    rows: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "STEPS", 8)
    monkeypatch.setattr(rates, "BLOWN_UP", 0.5)
    assert len(find_rate(tiny_recipe(), rows, out=tmp_path, pretrained=None).rates) == 1


def test_the_steepest_fall_is_suggested() -> None:
    tried = np.logspace(-6, 0, 61)
    losses = 1 / (1 + np.exp(4 * (np.log10(tried) + 3)))  # falls most steeply at 1e-3
    losses = losses + np.where(tried > 0.1, tried, 0)
    assert suggest_rate(tried.tolist(), losses.tolist()) == pytest.approx(1e-3)


def test_a_loss_that_only_rises_suggests_the_lowest_rate() -> None:
    assert suggest_rate([1e-6, 1e-5, 1e-4], [1.0, 2.0, 3.0]) == 1e-6


def test_one_class_or_no_batch_is_told(rows: tuple[Row, ...], tmp_path: Path) -> None:
    covid = [row for row in rows if row.label == "covid"]
    with pytest.raises(ManifestError, match="not of both labels"):
        find_rate(tiny_recipe(), covid, out=tmp_path, pretrained=None)
    with pytest.raises(RecipeError, match="fill no batch of 999"):
        find_rate(replace(tiny_recipe(), batch=999), rows, out=tmp_path, pretrained=None)


def test_the_command_searches_every_phase_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "STEPS", 3)
    manifest = write_phantoms(tmp_path, patients=2)
    (tmp_path / "tiny.toml").write_text(TINY)
    command = [
        "train",
        manifest,
        "--recipe",
        tmp_path / "tiny.toml",
        "--out",
        tmp_path / "out",
        "--find-rate",
    ]
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 0
    assert "phase 1, first: " in result.stdout
    assert "phase 2, second: " in result.stdout
    names = {f"rates-{number}.{ending}" for number in (1, 2) for ending in ("csv", "png")} | {"data.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_noise_of_the_first_steps_is_no_fall() -> None:
    tried = np.logspace(-6, 0, 61)
    losses = 1 / (1 + np.exp(4 * (np.log10(tried) + 3)))
    losses[:6] += np.linspace(3, 0, 6)
    assert suggest_rate(tried.tolist(), losses.tolist()) == pytest.approx(1e-3)


def test_a_search_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "STEPS", 3)
    manifest = read_manifest(write_phantoms(tmp_path, patients=2))
    job = Job(tiny_recipe(), manifest, tmp_path / "out")
    rows = assign_splits(manifest.rows, job.recipe.data)
    assert rates.read_rate(job.out, 0) is None
    chosen = choose_rates(job, rows)
    assert [phase.rate for phase in chosen.phases] == [rates.read_rate(job.out, number) for number in (0, 1)]
    assert replace(chosen, phases=job.recipe.phases) == job.recipe
    monkeypatch.setattr("covidct.training.run.find_rate", None)  # not called again
    assert choose_rates(job, rows) == chosen


def test_without_lung_masks_the_search_finds_lungs_as_the_model_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(write_phantoms(tmp_path, patients=2))
    job = Job(replace(tiny_recipe(), network="lung_net"), manifest, tmp_path / "out")
    found = rates.Search((1e-3,), (0.5,), 1e-3)
    monkeypatch.setattr("covidct.training.run.find_rate", lambda *_, **__: found)
    assert len(list(search_rates(job))) == 2
    assert (job.out / FINDER).is_file()


def test_a_search_on_other_data_is_not_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rates.Search((1e-3,), (0.5,), 1e-3)
    monkeypatch.setattr("covidct.training.run.find_rate", lambda *_, **__: found)
    manifest = read_manifest(write_phantoms(tmp_path, patients=2))
    list(search_rates(Job(tiny_recipe(), manifest, tmp_path / "out")))
    fewer = replace(manifest, rows=manifest.rows[:-2])
    with pytest.raises(ManifestError, match="holds a run on other slices"):
        list(search_rates(Job(tiny_recipe(), fewer, tmp_path / "out")))
