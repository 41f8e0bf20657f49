from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from covidct.errors import ManifestError
from covidct.evaluation.leave_one_out.trials import (
    FLOOR,
    HOME,
    SCORES,
    TRIAL,
    read_floors,
    read_trials,
    to_folder,
)
from covidct.types import Estimate


def write_trial(folder: Path, *, left_out: str = "north", seed: int = 1, digest: str = "0") -> None:
    folder.mkdir(parents=True)
    record = {"left_out": left_out, "recipe": {"name": "tiny", "seed": seed}, "manifest_sha256": digest}
    (folder / TRIAL).write_text(json.dumps(record))
    (folder / SCORES).write_text("path,label,patient,logit\na.png,1,p,0.5\nb.png,0,q,-2\n")
    (folder / HOME).write_text("path,label,source,split,patient,logit\nc.png,1,south,tune,p,3\n")


def test_a_trial_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_trial(tmp_path / "north" / "tiny" / "seed-1")
    (one,) = read_trials(tmp_path)
    assert (one.left_out, one.recipe, one.seed) == ("north", "tiny", 1)
    assert one.external.paths == ("a.png", "b.png")
    assert one.external.labels.tolist() == [1, 0]
    assert one.external.logits.tolist() == [0.5, -2]
    assert (one.home.sources, one.home.splits) == (("south",), ("tune",))


def test_a_trial_that_is_not_finished_does_not_count(tmp_path: Path) -> None:
    write_trial(tmp_path / "north" / "tiny" / "seed-1")
    (tmp_path / "north" / "tiny" / "seed-1" / SCORES).unlink()
    with pytest.raises(ManifestError, match="holds no finished trial"):
        read_trials(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (TRIAL, "{"),
        (TRIAL, "{}"),
        (SCORES, "path,label,patient,logit\n"),
        (SCORES, "path,label,patient,logit\na.png,1,p,nan\n"),
        (SCORES, "path,label\na.png,1\n"),
        (HOME, "path,label,source,split,patient,logit\nc.png,yes,south,tune,p,3\n"),
    ],
)
def test_a_damaged_trial_is_named(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "north" / "tiny" / "seed-1"
    write_trial(folder)
    (folder / name).write_text(text)
    with pytest.raises(ManifestError, match=r"seed-1: holds no trial that can be read .*remove it"):
        read_trials(tmp_path)


def test_trials_of_two_manifests_are_not_one_benchmark(tmp_path: Path) -> None:
    write_trial(tmp_path / "north" / "tiny" / "seed-1")
    write_trial(tmp_path / "north" / "tiny" / "seed-2", seed=2, digest="1")
    with pytest.raises(ManifestError, match="of 2 different manifests"):
        read_trials(tmp_path)


def test_floors_are_those_of_the_sources_left_out(tmp_path: Path) -> None:
    write_trial(tmp_path / "north" / "tiny" / "seed-1")
    shutil.copytree(tmp_path / "north", tmp_path / "elsewhere")
    for name in ("north", "elsewhere"):
        floor = {"border": {"value": 0.7, "low": 0.6, "high": 0.8, "n": 9, "reason": None}}
        (tmp_path / name / FLOOR).write_text(json.dumps(floor))
    kept = read_trials(tmp_path)
    assert read_floors(tmp_path, kept) == {"north": {"border": Estimate(0.7, 0.6, 0.8, 9)}}


@pytest.mark.parametrize("name", ["covid-ct", "a b", "a/b", "..", ".", "../up", "é", "a\\b", "con:x"])
def test_any_name_is_one_folder(tmp_path: Path, name: str) -> None:
    place = tmp_path / to_folder(name)
    place.mkdir()
    assert place.resolve().parent == tmp_path.resolve()
