"""Trainings averaged: weights by their mean, statistics of what learns anew, of what stays as they were."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from average_trainings import average, copy_run, measure_statistics
from covidct.data.recipe import find_recipe, read_recipe
from covidct.training.lessons.loader import KeptViews
from covidct.training.lessons.views import CachedViews, Facts
from covidct.training.networks.lung_net import FINE
from covidct.training.networks.opacity_net import CELL, STILL, OpacityNet

COUNT = 8
SIDE = 96


def make_views() -> KeptViews:
    generator = torch.Generator().manual_seed(7)
    cells, fine, ones = SIDE // 8, SIDE // CELL * FINE, torch.ones(COUNT)
    kept = CachedViews(
        features=torch.rand(COUNT, cells, cells, 32, generator=generator),
        shares=torch.full((COUNT, fine, fine), 255, dtype=torch.uint8),
        lesions=torch.zeros(COUNT, fine, fine, dtype=torch.uint8),
        labels=ones,
        drawn=ones.bool(),
        sources=ones.long(),
        facts=Facts(ones, ones, ones),
    )
    return KeptViews(kept, COUNT, 4, seed=1)


def test_weights_become_their_mean_in_their_own_dtype() -> None:
    first = {"weight": torch.tensor([1.0, 3.0]), "count": torch.tensor(4)}
    second = {"weight": torch.tensor([2.0, 5.0]), "count": torch.tensor(6)}
    mean = average([first, second])
    assert mean["weight"].tolist() == [1.5, 4.0]
    assert mean["count"].item() == 5
    assert mean["count"].dtype == first["count"].dtype


def test_statistics_are_measured_where_the_network_learns_and_kept_where_it_stays() -> None:
    torch.manual_seed(3)
    network = OpacityNet(SIDE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measure_statistics(network, make_views(), read_recipe(find_recipe("recipes/opacity.toml")))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    learns = [
        f"features.{name}"
        for name, part in network.features.named_modules()
        if isinstance(part, nn.BatchNorm2d) and int(name.split(".")[0]) >= STILL
    ]
    figures = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"{name}.{figure}" for name in learns for figure in figures}
    assert not network.training


def test_a_copied_run_leaves_out_what_came_of_other_weights(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "bundle").mkdir(parents=True)
    for name in ("checkpoint.pt", "best.safetensors", "model.onnx", "scores.csv", "home.csv"):
        (run / name).write_bytes(b"x")
    copy_run(run, tmp_path / "mean")
    assert sorted(path.name for path in (tmp_path / "mean").iterdir()) == [
        "best.safetensors",
        "checkpoint.pt",
    ]
