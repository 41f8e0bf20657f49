from __future__ import annotations

import csv
import errno
import math
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from covidct.data.recipe import Recipe
from covidct.errors import RecipeError, TrainingError
from covidct.images.files import write_beside
from covidct.training import checkpoint
from covidct.training.checkpoint import BEST, Progress, Run, keep_epoch, load_weights, resume_run
from covidct.training.fit import build_optimiser, build_run
from covidct.training.networks.build import build_network
from states import is_same
from training import tiny_recipe

RECIPE = tiny_recipe()
PHASE = RECIPE.phases[-1]


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "plot_history", lambda *_: None)


def make_run(seed: int = 0) -> Run:
    return build_run(replace(RECIPE, seed=seed), None)


def keep(run: Run, out: Path, *, auc: float = 0.7, loss: float = 0.5, recipe: Recipe = RECIPE) -> None:
    """Take a step and keep it as an epoch."""
    optimiser, schedule = build_optimiser(run.network, PHASE, RECIPE, steps=2)
    for parameter in run.network.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    optimiser.step()
    schedule.step()
    run.average.update_parameters(run.network)
    record = {"epoch": run.progress.epoch + 1, "phase": "unfrozen", "seconds": 1.0}
    record |= {"tune_auc": auc, "tune_loss": loss}
    keep_epoch(run, record, recipe, optimiser=optimiser, schedule=schedule, out=out)


@pytest.mark.parametrize(
    ("epoch", "best_epoch", "done", "stale"),
    [
        (0, 0, 0, False),
        (3, 1, 3, True),
        (3, 2, 3, False),
        (2, 1, 2, False),
        # A new phase gets its own patience, however long ago the best epoch was.
        (9, 1, 1, False),
        (10, 1, 2, True),
    ],
)
def test_patience(epoch: int, best_epoch: int, done: int, stale: bool) -> None:
    assert Progress(epoch=epoch, best_epoch=best_epoch, done=done).is_stale(2) is stale


def test_a_fresh_run_has_nothing_to_resume(tmp_path: Path) -> None:
    run = make_run()
    assert resume_run(run, RECIPE, tmp_path) == {}
    assert run.progress == Progress()
    assert run.progress.best_score == -math.inf


def test_resumes_where_it_was_kept(tmp_path: Path) -> None:
    run, other = make_run(0), make_run(1)
    keep(run, tmp_path)
    keep(run, tmp_path, auc=0.8)
    assert not is_same(run.network.state_dict(), other.network.state_dict())
    saved = resume_run(other, RECIPE, tmp_path)
    assert is_same(run.network.state_dict(), other.network.state_dict())
    assert is_same(run.average.state_dict(), other.average.state_dict())
    assert asdict(other.progress) == asdict(run.progress)
    assert (other.progress.epoch, other.progress.done, other.progress.best_epoch) == (2, 2, 2)
    # Optimiser and schedule go on from there too.
    optimiser, schedule = build_optimiser(other.network, PHASE, RECIPE, steps=2)
    optimiser.load_state_dict(saved["optimiser"])
    schedule.load_state_dict(saved["schedule"])
    assert is_same(optimiser.state_dict(), saved["optimiser"])
    assert schedule.last_epoch == 1


def test_the_best_epoch_is_the_averaged_network(tmp_path: Path) -> None:
    run = make_run()
    keep(run, tmp_path, auc=0.7)
    best = {key: value.clone() for key, value in run.average.module.state_dict().items()}
    for auc, loss in ((0.7, 0.5), (0.7, 0.6), (0.6, 0.1)):  # no better
        keep(run, tmp_path, auc=auc, loss=loss)
    assert (run.progress.best_score, run.progress.best_epoch) == (0.7, 1)
    assert is_same(load_file(tmp_path / "best.safetensors"), best)
    for auc, loss in ((0.7, 0.4), (0.71, 0.9)):  # the loss decides between equals
        keep(run, tmp_path, auc=auc, loss=loss)
        assert run.progress.best_epoch == run.progress.epoch
        assert is_same(load_file(tmp_path / "best.safetensors"), dict(run.average.module.state_dict()))


def test_the_last_epoch_is_kept_where_tune_has_no_say(tmp_path: Path) -> None:
    run = make_run()
    for auc in (0.9, 0.6, 0.7):
        keep(run, tmp_path, auc=auc, recipe=replace(RECIPE, choose="last"))
    assert run.progress.best_epoch == 3
    assert is_same(load_file(tmp_path / "best.safetensors"), run.average.module.state_dict())


def test_metrics(tmp_path: Path) -> None:
    run = make_run()
    for auc in (0.5, 0.6):
        keep(run, tmp_path, auc=auc)
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(line["epoch"], line["phase"], line["tune_auc"]) for line in lines] == [
        ("1", "unfrozen", "0.5"),
        ("2", "unfrozen", "0.6"),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"best.safetensors", "checkpoint.pt", "metrics.csv"}


class Harm:
    """What a pickle may hold: a call that is made when it is read."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    torch.save({"recipe": Harm(tmp_path / "mark")}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt: is damaged \(Weights only load failed"):
        resume_run(make_run(), RECIPE, tmp_path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("changes", [{"network": {}}, {"progress": {"age": 3}}, {"recipe": "{"}])
def test_a_checkpoint_of_other_things_is_damaged(tmp_path: Path, changes: dict[str, object]) -> None:
    keep(make_run(), tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save(saved | changes, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt: is damaged"):
        resume_run(make_run(), RECIPE, tmp_path)


def test_what_a_checkpoint_holds(tmp_path: Path) -> None:
    keep(make_run(), tmp_path)
    assert set(torch.load(tmp_path / "checkpoint.pt", weights_only=True)) == {
        "recipe",
        "network",
        "average",
        "offsets",
        "optimiser",
        "schedule",
        "progress",
    }


def test_another_recipe_is_not_resumed(tmp_path: Path) -> None:
    keep(make_run(), tmp_path)
    run = make_run(1)
    before = {key: value.clone() for key, value in run.network.state_dict().items()}
    with pytest.raises(
        RecipeError, match=f"^{tmp_path}: holds a run of another recipe; choose another --out"
    ):
        resume_run(run, replace(RECIPE, seed=5), tmp_path)
    assert is_same(dict(run.network.state_dict()), before)


def test_an_interrupted_checkpoint_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    keep(run, tmp_path)
    first = {key: value.clone() for key, value in run.network.state_dict().items()}

    def write_half(path: Path, _: object) -> None:
        with path.open("wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(KeyboardInterrupt):
            keep(run, tmp_path)
    other = make_run(1)
    resume_run(other, RECIPE, tmp_path)
    assert other.progress.epoch == 1
    assert is_same(dict(other.network.state_dict()), first)


@pytest.mark.parametrize("name", ["checkpoint.pt", "best.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "other"])
def test_a_damaged_file_of_a_run_is_named_with_what_to_do(tmp_path: Path, name: str, damage: str) -> None:
    keep(make_run(), tmp_path)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    if damage == "changed":
        # A weight, or, as safetensors has no checksum, the header.
        data[len(data) // 2 if path.suffix == ".pt" else 5] ^= 0xFF
    path.write_bytes({"empty": b"", "cut": bytes(data[:-100]), "other": bytes(5000)}.get(damage, bytes(data)))

    def go_on() -> None:
        resume_run(make_run(1), RECIPE, tmp_path)
        load_weights(build_network(RECIPE), tmp_path / BEST)

    with pytest.raises(TrainingError, match=rf"^{path}: is damaged .*remove {tmp_path} and train again$"):
        go_on()


def test_too_little_memory_for_the_weights_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(make_run(), tmp_path)

    def refuse(_: Path) -> None:
        raise RuntimeError("unable to mmap 6556088 bytes from file <best>: Cannot allocate memory (12)")

    monkeypatch.setattr("covidct.training.checkpoint.load_file", refuse)
    with pytest.raises(MemoryError):
        load_weights(build_network(RECIPE), tmp_path / BEST)


@pytest.mark.parametrize("name", ["checkpoint.pt", "best.safetensors"])
def test_a_full_disk_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if path.name.startswith(name):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left") as caught:
        keep(make_run(), tmp_path)
    assert caught.value.filename == str(tmp_path / name)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_writes_beside(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    write_beside(path, lambda partial: partial.write_text("first"))
    seen = []

    def write(partial: Path) -> None:
        partial.write_text("second")
        seen.append(path.read_text())

    write_beside(path, write)
    assert seen == ["first"]
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]
