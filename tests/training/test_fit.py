from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.optim.lr_scheduler import OneCycleLR

from covidct.data.manifest import Row
from covidct.data.recipe import Augmentation, Phase, Recipe
from covidct.errors import ManifestError, RecipeError, TrainingError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.training import checkpoint
from covidct.training import fit as fitting
from covidct.training.checkpoint import Run
from covidct.training.fit import (
    Fitting,
    build_optimiser,
    build_run,
    compute_aucs,
    compute_logits,
    fit,
)
from covidct.training.lessons.loader import FreshViews, Loader
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.pretrained import load_pretrained
from covidct.training.slices import Slices
from makers import write_png
from states import is_same, make_network
from training import NOTHING

FROZEN, WHOLE = Phase("frozen", 2, 1e-3, freeze=True), Phase("whole", 2, 1e-3)
# Two batches an epoch, two epochs a phase.
RECIPE = Recipe("tiny", "mobilenet_v2", (FROZEN, WHOLE), size=32, batch=4, epoch_slices=8, average=0.8)
State = dict[str, Any]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    """Phantoms of two sources, a third of them in `tune`; those with COVID-19 are inverted, which is easy."""
    folder, rows = tmp_path_factory.mktemp("phantoms"), []
    for number in range(24):
        pixels = to_display(draw_phantom(Phantom.NORMAL, seed=number, size=64))
        path = write_png(folder / f"{number}.png", 255 - pixels if number % 2 else pixels)
        label, split = ("no-lesion", "covid")[number % 2], "train" if number < 16 else "tune"
        rows.append(Row(path, label, ("north", "south")[number // 2 % 2], "", split, ""))
    return tuple(rows)


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "plot_history", lambda *_: None)


def read_state(out: Path) -> State:
    """Everything a run leaves behind, without the time it took."""
    state: State = torch.load(out / "checkpoint.pt", weights_only=True)
    for record in state["progress"]["history"]:
        del record["seconds"]
    return state


def read_metrics(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def unbroken(rows: tuple[Row, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from beginning to end, with curves."""
    out = tmp_path_factory.mktemp("runs") / "deep" / "unbroken"
    fit(RECIPE, rows, out=out, pretrained=None)
    return out


def test_a_loss_that_diverges_ends_the_run_with_what_to_do(rows: tuple[Row, ...], tmp_path: Path) -> None:
    wild = replace(RECIPE, phases=(Phase("wild", 3, 1e30),))
    with pytest.raises(TrainingError, match=r"^the loss diverged in epoch \d, phase wild: lower .*1e\+30"):
        fit(wild, rows, out=tmp_path, pretrained=None)


def test_writes(unbroken: Path) -> None:
    names = {"best.safetensors", "checkpoint.pt", "curves.png", "metrics.csv"}
    assert {path.name for path in unbroken.iterdir()} == names
    with Image.open(unbroken / "curves.png") as image:
        assert min(image.size) > 500
    lines = read_metrics(unbroken)
    assert list(lines[0]) == [
        "epoch",
        "phase",
        "train_loss",
        "tune_loss",
        "tune_auc",
        "tune_accuracy",
        "rate",
        "seconds",
        "tune_auc_north",
        "tune_auc_south",
    ]
    assert [(line["epoch"], line["phase"]) for line in lines] == [
        ("1", "frozen"),
        ("2", "frozen"),
        ("3", "whole"),
        ("4", "whole"),
    ]
    for line in lines:
        assert 0 < float(line["train_loss"]) < 3
        mean = (float(line["tune_auc_north"]) + float(line["tune_auc_south"])) / 2
        assert float(line["tune_auc"]) == pytest.approx(mean, abs=2e-5)


def test_the_same_seed_gives_the_same_network(unbroken: Path, rows: tuple[Row, ...], tmp_path: Path) -> None:
    torch.manual_seed(99)  # what went on before does not matter
    fit(RECIPE, rows, out=tmp_path, pretrained=None)
    assert is_same(read_state(tmp_path), read_state(unbroken))
    assert (tmp_path / "best.safetensors").read_bytes() == (unbroken / "best.safetensors").read_bytes()


def test_another_seed_gives_another_network(unbroken: Path, rows: tuple[Row, ...], tmp_path: Path) -> None:
    fit(replace(RECIPE, seed=RECIPE.seed + 1, phases=(FROZEN,)), rows, out=tmp_path, pretrained=None)
    state, other = (read_state(out)["network"] for out in (tmp_path, unbroken))
    assert not torch.equal(state["evidence.weight"], other["evidence.weight"])


def interrupt(monkeypatch: pytest.MonkeyPatch, *, epoch: int, kept: bool) -> None:
    """Let Ctrl-C come at the end of an epoch, after or before it is kept."""
    original, count = checkpoint.keep_epoch, iter(range(1, 99))

    def keep_epoch(*args: Any, **options: Any) -> None:
        last = next(count) == epoch
        if last and not kept:
            raise KeyboardInterrupt
        original(*args, **options)
        if last:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "keep_epoch", keep_epoch)


@pytest.mark.parametrize(
    ("epoch", "kept"),
    [(1, True), (3, False), (3, True)],
    ids=["in the frozen phase", "before the unfrozen phase has an epoch", "in the unfrozen phase"],
)
def test_an_interrupted_run_goes_on(
    unbroken: Path,
    rows: tuple[Row, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epoch: int,
    kept: bool,
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, epoch=epoch, kept=kept)
        with pytest.raises(KeyboardInterrupt):
            fit(RECIPE, rows, out=tmp_path, pretrained=None)
    assert read_state(tmp_path)["progress"]["epoch"] == (epoch if kept else epoch - 1)
    fit(RECIPE, rows, out=tmp_path, pretrained=None)
    assert is_same(read_state(tmp_path), read_state(unbroken))
    assert (tmp_path / "best.safetensors").read_bytes() == (unbroken / "best.safetensors").read_bytes()


def test_a_finished_run_stays_as_it_is(
    unbroken: Path, rows: tuple[Row, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "run_epoch", None)  # not called
    before = (unbroken / "checkpoint.pt").read_bytes()
    network = fit(RECIPE, rows, out=unbroken, pretrained=None)
    assert not network.training
    assert (unbroken / "checkpoint.pt").read_bytes() == before


def test_another_recipe_needs_another_place(unbroken: Path, rows: tuple[Row, ...]) -> None:
    with pytest.raises(RecipeError, match=f"^{unbroken}: holds a run of another recipe"):
        fit(replace(RECIPE, dropout=0.1), rows, out=unbroken, pretrained=None)


def test_a_frozen_phase_leaves_the_backbone(rows: tuple[Row, ...], tmp_path: Path) -> None:
    recipe = replace(RECIPE, phases=(FROZEN,))
    fresh = build_run(recipe, None).network.state_dict()
    fit(recipe, rows, out=tmp_path, pretrained=None)
    state = read_state(tmp_path)
    for key, value in state["network"].items():
        # Weights and the statistics of batch normalisation, of both networks.
        assert torch.equal(value, fresh[key]) == key.startswith("features."), key
        if key.startswith("features."):
            assert torch.equal(state["average"][f"module.{key}"], fresh[key]), key


def test_lower_layers_change_less(rows: tuple[Row, ...], tmp_path: Path) -> None:
    recipe = replace(RECIPE, phases=(replace(WHOLE, depth_factor=0.1),))
    fresh = build_run(recipe, None).network.state_dict()
    fit(recipe, rows, out=tmp_path, pretrained=None)
    state = read_state(tmp_path)["network"]
    keys = ("features.0.0.weight", "features.8.conv.0.0.weight", "features.18.0.weight", "evidence.weight")
    changes = [(state[key] - fresh[key]).abs().mean().item() for key in keys]
    assert 0 < changes[0] < changes[1] < changes[2] < changes[3]


@pytest.mark.parametrize("freeze", [True, False])
def test_rates_by_depth(freeze: bool) -> None:
    network = EvidenceNet(32)
    phase = Phase("some", 3, 0.01, freeze=freeze, depth_factor=0.5)
    optimiser, schedule = build_optimiser(network, phase, RECIPE, steps=4)
    assert isinstance(schedule, OneCycleLR)
    assert schedule.total_steps == 13
    rates = [group["max_lr"] for group in optimiser.param_groups]
    assert rates == ([0.01] if freeze else pytest.approx([0.00125, 0.0025, 0.005, 0.01]))
    # Every weight that learns is in one group, and no other.
    held = [id(weight) for group in optimiser.param_groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in network.parameters() if weight.requires_grad)
    assert len(held) == (2 if freeze else len(list(network.parameters())))


def test_offsets_are_learnt_with_the_head() -> None:
    offsets = torch.nn.Parameter(torch.zeros(2))
    learnt = replace(RECIPE, offsets=0.05)
    optimiser, _ = build_optimiser(EvidenceNet(32), FROZEN, learnt, steps=4, offsets=offsets)
    assert [group["max_lr"] for group in optimiser.param_groups] == [0.05, FROZEN.rate]
    assert optimiser.param_groups[0]["params"] == [offsets]
    assert optimiser.param_groups[0]["weight_decay"] == 0
    optimiser, _ = build_optimiser(EvidenceNet(32), FROZEN, RECIPE, steps=4, offsets=offsets)
    assert len(optimiser.param_groups) == 1


def test_every_source_learns_its_offset(rows: tuple[Row, ...], tmp_path: Path) -> None:
    fit(replace(RECIPE, offsets=0.05), rows, out=tmp_path, pretrained=None)
    offsets = read_state(tmp_path)["offsets"]
    assert offsets.shape == (2,)
    assert (offsets != 0).all()
    assert "offsets" not in load_file(tmp_path / "best.safetensors")


def test_a_frozen_backbone_thaws() -> None:
    network = EvidenceNet(32)
    build_optimiser(network, FROZEN, RECIPE, steps=2)
    assert not any(weight.requires_grad for weight in network.features.parameters())
    build_optimiser(network, WHOLE, RECIPE, steps=2)
    assert all(weight.requires_grad for weight in network.parameters())


def give_aucs(monkeypatch: pytest.MonkeyPatch, aucs: list[float]) -> None:
    """Let `tune` say of each epoch what is wanted, the last value for all that follow."""
    left = iter(aucs)
    monkeypatch.setattr(fitting, "compute_aucs", lambda *_: {"all": next(left, aucs[-1])})


def test_stops_early(
    rows: tuple[Row, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    give_aucs(monkeypatch, [0.6, 0.8, 0.7])
    recipe = replace(
        RECIPE, phases=(replace(FROZEN, epochs=9), replace(FROZEN, name="next", epochs=9)), patience=2
    )
    best = fit(recipe, rows, out=tmp_path, pretrained=None)
    # Two epochs without a better one after the second; the next phase has its own two.
    assert [line["phase"] for line in read_metrics(tmp_path)] == ["frozen"] * 4 + ["next"] * 2
    said = capsys.readouterr().err
    for phase, epoch in (("frozen", 4), ("next", 6)):
        assert f"{phase}: ends after epoch {epoch}, as the last 2 were no better on tune" in said
    state = read_state(tmp_path)
    assert (state["progress"]["best_epoch"], state["progress"]["best_score"]) == (2, 0.8)
    # What is given is the best, not the last, and the average, not the one that was trained.
    assert is_same(dict(best.state_dict()), load_file(tmp_path / "best.safetensors"))
    for last in (state["average"]["module.evidence.weight"], state["network"]["evidence.weight"]):
        assert not torch.equal(best.state_dict()["evidence.weight"], last)


def test_each_epoch_draws_anew(
    rows: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[tuple[int, int, int]]] = []

    def run_epoch(run: Run, phase: Phase, fitting: Fitting, loader: Loader, *_: object) -> dict[str, Any]:
        assert isinstance(loader, FreshViews)
        loader.draws.epoch = loader.epoch
        drawn.append(list(loader.draws))
        return {"epoch": len(drawn), "tune_auc": 0.5, "tune_loss": 0.7}

    monkeypatch.setattr(fitting, "run_epoch", run_epoch)
    fit(RECIPE, rows, out=tmp_path, pretrained=None)
    assert [{epoch for epoch, _, _ in draws} for draws in drawn] == [{0}, {1}, {2}, {3}]
    assert len({tuple(index for _, _, index in draws) for draws in drawn}) == 4


PLAIN = replace(NOTHING, flip=Augmentation().flip)


def test_learns_from_nothing(rows: tuple[Row, ...], tmp_path: Path) -> None:
    phase = Phase("whole", 2, 1e-3, depth_factor=1.0)
    recipe = replace(
        RECIPE, size=64, batch=8, phases=(phase,), epoch_slices=64, augment=PLAIN, label_smoothing=0
    )
    fit(recipe, rows, out=tmp_path, pretrained=None)
    losses = [float(line["train_loss"]) for line in read_metrics(tmp_path)]
    assert losses[1] < 0.7 * losses[0]


def test_learns_lesions_from_pretrained_weights(shared_weights: Path, tmp_path: Path) -> None:
    rows = []
    for number in range(48):
        kind, label = ((Phantom.NORMAL, "no-lesion"), (Phantom.LESIONS, "covid"))[number % 2]
        pixels = to_display(draw_phantom(kind, seed=number // 2, size=64))
        path = write_png(tmp_path / f"{number}.png", pixels)
        rows.append(Row(path, label, "phantoms", "", "train" if number < 32 else "tune", ""))
    phase = Phase("whole", 3, 2e-3, depth_factor=0.5)
    recipe = replace(RECIPE, size=64, batch=8, epoch_slices=48, phases=(phase,), average=0.5, augment=PLAIN)
    fit(recipe, rows, out=tmp_path / "run", pretrained=load_pretrained(shared_weights))
    assert max(float(line["tune_auc"]) for line in read_metrics(tmp_path / "run")) > 0.85


def relabel(rows: tuple[Row, ...], split: str, label: str) -> tuple[Row, ...]:
    return tuple(replace(row, label=label) if row.split == split else row for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: relabel(rows, "train", "covid"),
        lambda rows: relabel(rows, "train", "no-lesion"),
        lambda rows: tuple(row for row in rows if row.split != "train"),
    ],
)
def test_train_needs_both_labels(
    rows: tuple[Row, ...], tmp_path: Path, change: Callable[[tuple[Row, ...]], tuple[Row, ...]]
) -> None:
    with pytest.raises(
        ManifestError, match=r"^split train: \d+ slices and not of both labels; give it slices of each"
    ):
        fit(RECIPE, change(rows), out=tmp_path / "out", pretrained=None)
    assert not (tmp_path / "out").exists()


DRAWN = replace(RECIPE, phases=(Phase("whole", 1, 1e-3),), draws=2)


@pytest.fixture(scope="module")
def drawn(rows: tuple[Row, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two draws."""
    out = tmp_path_factory.mktemp("runs") / "drawn"
    fit(DRAWN, rows, out=out, pretrained=None)
    return out


def test_draws_begin_alike_and_see_other_views(rows: tuple[Row, ...], drawn: Path, tmp_path: Path) -> None:
    fit(replace(DRAWN, draws=1), rows, out=tmp_path / "first", pretrained=None)
    fit(replace(DRAWN, draws=1, seed=DRAWN.seed + 1), rows, out=tmp_path / "other", pretrained=None)
    assert is_same(read_state(drawn)["average"], read_state(tmp_path / "first")["average"])
    weights = [
        flatten(load_file(folder / "best.safetensors"))
        for folder in (drawn, drawn / "draw-2", tmp_path / "other")
    ]
    assert not torch.equal(weights[0], weights[1])
    # The other began elsewhere, and two steps lead nowhere near.
    assert torch.dist(weights[0], weights[1]) < torch.dist(weights[2], weights[1]) / 3


def flatten(state: dict[str, torch.Tensor]) -> torch.Tensor:
    """All weights of convolutions in one vector."""
    return torch.cat([value.flatten() for value in state.values() if value.ndim == 4])


def test_draws_are_averaged_and_their_statistics_measured_anew(drawn: Path) -> None:
    mean = load_file(drawn / "averaged.safetensors")
    both = [load_file(folder / "best.safetensors") for folder in (drawn, drawn / "draw-2")]
    statistics = {name for name in mean if name.rsplit(".", 1)[-1].startswith(("running", "num_batches"))}
    for name, weight in mean.items():
        is_mean = torch.allclose(weight.float(), (both[0][name].float() + both[1][name].float()) / 2)
        assert is_mean != (name in statistics), name


def test_a_finished_run_of_draws_is_only_loaded(
    rows: tuple[Row, ...], drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "build_loader", lambda *_, **__: pytest.fail("trains again"))
    network = fit(DRAWN, rows, out=drawn, pretrained=None)
    assert is_same(dict(network.state_dict()), load_file(drawn / "averaged.safetensors"))


def test_draws_that_were_broken_off_end_in_the_same_mean(
    rows: tuple[Row, ...], drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "draw-2").mkdir()
    for name in ("checkpoint.pt", "best.safetensors", "metrics.csv"):
        (tmp_path / name).write_bytes((drawn / name).read_bytes())
    fit(DRAWN, rows, out=tmp_path, pretrained=None)
    assert is_same(load_file(tmp_path / "averaged.safetensors"), load_file(drawn / "averaged.safetensors"))


def test_tune_needs_both_labels(rows: tuple[Row, ...], tmp_path: Path) -> None:
    for some in (relabel(rows, "tune", "covid"), tuple(row for row in rows if row.split == "train")):
        with pytest.raises(ManifestError, match=r"^split tune: \d+ slices and not of both labels"):
            fit(RECIPE, some, out=tmp_path, pretrained=None)


@pytest.mark.parametrize("change", [{"epoch_slices": 3}, {"epoch_slices": 0, "batch": 64}])
def test_an_epoch_fills_a_batch(rows: tuple[Row, ...], tmp_path: Path, change: dict[str, int]) -> None:
    recipe: Recipe = replace(RECIPE, **change)  # type: ignore[arg-type]
    with pytest.raises(
        RecipeError, match=r"^recipe tiny: an epoch of \d+ slices fills no batch of \d+; lower batch"
    ):
        fit(recipe, rows, out=tmp_path, pretrained=None)


def make_slices(labels: list[int], sources: str) -> Slices:
    rows = (Row(Path("some.png"), "", "", "", "", ""),) * len(labels)
    return Slices(np.zeros((len(labels), 2, 2), np.uint8), np.array(labels), tuple(sources), rows)


def test_aucs_by_source() -> None:
    slices = make_slices([1, 0, 1, 0, 1], "aabbc")
    aucs = compute_aucs(np.array([2, 1, 1, 2, 0], np.float32), slices)
    assert aucs == {"a": 1.0, "b": 0.0}  # c has one label


def test_aucs_where_each_source_has_one_label() -> None:
    slices = make_slices([1, 1, 0, 0], "aabb")
    assert compute_aucs(np.array([3, 1, 2, 0], np.float32), slices) == {"all": 0.75}


def test_logits_do_not_depend_on_the_batch() -> None:
    network, pixels = make_network(64), np.random.default_rng(0).integers(0, 256, (5, 70, 60), np.uint8)
    logits = compute_logits(network.train(), pixels)
    assert logits.shape == (5,)
    assert logits.dtype == np.float32
    assert logits.std() > 1e-3
    assert compute_logits(network, pixels, batch=2) == pytest.approx(logits, abs=1e-5)
    assert not network.training
