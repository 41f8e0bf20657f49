"""Draws averaged: weights by their mean, statistics of what learns anew, of what stays as they were."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from covidct.data.recipe import Phase, Recipe
from covidct.training.average import average_weights, measure_statistics, plan_draws

RECIPE = Recipe("tiny", "mobilenet_v2", (Phase("whole", 2, 1e-3),), seed=5)


def test_one_draw_is_the_recipe_at_home(tmp_path: Path) -> None:
    (draw,) = plan_draws(RECIPE, tmp_path)
    assert (draw.recipe, draw.out) == (RECIPE, tmp_path)


def test_each_draw_has_a_seed_and_a_folder_of_its_own(tmp_path: Path) -> None:
    draws = plan_draws(Recipe("tiny", "mobilenet_v2", RECIPE.phases, seed=5, draws=3), tmp_path)
    assert [draw.recipe.seed for draw in draws] == [5, 6, 7]
    assert {draw.recipe.draws for draw in draws} == {1}
    assert [draw.out for draw in draws] == [tmp_path, tmp_path / "draw-2", tmp_path / "draw-3"]


def test_weights_become_their_mean_in_their_own_dtype() -> None:
    first = {"weight": torch.tensor([1.0, 3.0]), "count": torch.tensor(4)}
    second = {"weight": torch.tensor([2.0, 5.0]), "count": torch.tensor(6)}
    mean = average_weights([first, second])
    assert mean["weight"].tolist() == [1.5, 4.0]
    assert mean["count"].item() == 5
    assert mean["count"].dtype == first["count"].dtype


def test_statistics_are_the_plain_mean_over_all_batches_of_what_is_in_training_mode() -> None:
    still, learns = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    network = nn.Sequential(still.eval(), nn.Dropout(0.9), learns)
    with torch.no_grad():
        still.running_mean.fill_(1.0)  # type: ignore[union-attr]
        learns.running_mean.fill_(100.0)  # type: ignore[union-attr]
    batches = [torch.full((4, 2, 3, 3), grey) for grey in (2.0, 4.0, 9.0)]
    measure_statistics(network, batches, network)
    assert still.running_mean.tolist() == [1.0, 1.0]  # type: ignore[union-attr]
    # Less the 1 of the norm before it, whose variance is 1; dropout would have put zeros in between.
    assert torch.allclose(learns.running_mean, torch.full((2,), 4.0), atol=1e-3)  # type: ignore[arg-type]
    assert not any(part.training for part in network.modules())
