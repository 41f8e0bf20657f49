from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from covidct.training.loss import choose_taught, compute_cell_loss, compute_loss
from covidct.training.networks.lung_net import Look, LungNet
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.slices import Batch
from training import tiny_recipe

RECIPE = replace(tiny_recipe(), label_smoothing=0.0, lesions=1.0, calm=0.5)


def make_batch(labels: list[float], lesions: Tensor | None = None, apart: list[bool] | None = None) -> Batch:
    count = len(labels)
    return Batch(
        torch.zeros(count, 40, 40, dtype=torch.uint8),
        torch.tensor(labels),
        torch.zeros(count, 40, 40, dtype=torch.uint8) if lesions is None else lesions,
        torch.full((count,), lesions is not None),
        torch.arange(count) % 2,
        torch.tensor(apart or [False] * count),
        torch.zeros(count, dtype=torch.bool),
    )


def test_loss() -> None:
    network = EvidenceNet(32).eval()
    network.bias.data.fill_(20.0)

    def measure(labels: list[float], smoothing: float = 0.0, precision: str = "float32") -> float:
        recipe = replace(RECIPE, label_smoothing=smoothing, precision=precision)
        loss = compute_loss(network, make_batch(labels), recipe)
        assert loss.dtype == torch.float32
        return loss.item()

    # As sure as 20 of both slices: right, wrong, and half right.
    assert measure([1, 1]) == pytest.approx(0, abs=1e-3)
    assert measure([0, 0]) == pytest.approx(20, abs=0.5)
    assert measure([1, 0]) == pytest.approx(10, abs=0.5)
    assert measure([1, 0], precision="bfloat16") == pytest.approx(10, abs=0.5)
    # Smoothing takes half its share from the truth.
    assert measure([1, 1], smoothing=0.1) == pytest.approx(0.05 * 20, abs=0.1)


def test_undrawn_labels_weigh_what_the_recipe_says() -> None:
    network = EvidenceNet(32).eval()
    network.bias.data.fill_(20.0)
    recipe = replace(RECIPE, weak=0.25)
    assert compute_loss(network, make_batch([0.0]), recipe).item() == pytest.approx(5, abs=0.2)
    drawn = make_batch([0.0], torch.zeros(1, 40, 40, dtype=torch.uint8))
    assert compute_loss(network, drawn, recipe).item() == pytest.approx(20, abs=0.5)


def test_a_source_may_have_its_own_level() -> None:
    network = EvidenceNet(32).eval()
    network.bias.data.fill_(20.0)
    batch = make_batch([1.0, 0.0])  # of two sources
    offsets = torch.tensor([0.0, -40.0], requires_grad=True)
    loss = compute_loss(network, batch, RECIPE, offsets=offsets)
    assert loss.item() < 0.01 < compute_loss(network, batch, RECIPE).item()
    loss = compute_loss(network, batch, RECIPE, offsets=torch.zeros(2, requires_grad=True))
    assert loss == compute_loss(network, batch, RECIPE)


def make_look(cells: Tensor, lungs: Tensor | None = None) -> Look:
    """Cells (N, 4, 4) of whole slices."""
    count = len(cells)
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(count, -1)
    lungs = torch.ones_like(cells) if lungs is None else lungs
    return Look(torch.zeros(count), torch.zeros(count, 1), cells, box, cells, lungs)


def test_each_slice_teaches_the_context_of_its_source() -> None:
    seen = make_look(torch.zeros(3, 4, 4))
    batch = make_batch([1.0, 0.0, 1.0], apart=[False, True, True])
    assert choose_taught(seen, batch).tolist() == [0, 0, 0]
    two = seen._replace(taught=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert choose_taught(two, batch).tolist() == [1, 4, 6]


def test_cells_learn_where_lesions_were_drawn() -> None:
    lesions = torch.zeros(1, 40, 40, dtype=torch.uint8)
    lesions[:, :10, :20] = 255  # two cells of the sixteen
    wanted = torch.full((1, 4, 4), -20.0)
    wanted[0, 0, :2] = 20
    batch = make_batch([1.0], lesions)
    assert compute_cell_loss(make_look(wanted), batch, RECIPE) < 1e-4
    assert compute_cell_loss(make_look(-wanted), batch, RECIPE).item() == pytest.approx(20, rel=0.01)
    assert compute_cell_loss(make_look(-wanted), batch, replace(RECIPE, lesions=0.0)) == 0


def test_cells_outside_the_lungs_cost_nothing() -> None:
    lungs = torch.zeros(1, 4, 4)
    lungs[0, 3, 3] = 1
    wrong = torch.full((1, 4, 4), 20.0)
    wrong[0, 3, 3] = -20
    batch = make_batch([0.0], torch.zeros(1, 40, 40, dtype=torch.uint8))
    assert compute_cell_loss(make_look(wrong, lungs), batch, RECIPE) < 1e-4


def test_undrawn_negatives_are_calmed_and_undrawn_positives_left_alone() -> None:
    cells = torch.full((1, 4, 4), 20.0)
    assert compute_cell_loss(make_look(cells), make_batch([0.0]), RECIPE).item() == pytest.approx(10)
    assert compute_cell_loss(make_look(cells), make_batch([1.0]), RECIPE) == 0


def test_a_network_without_cells_learns_from_labels_alone() -> None:
    network = EvidenceNet(32).eval()
    drawn = make_batch([1.0, 0.0], torch.full((2, 40, 40), 255, dtype=torch.uint8))
    with torch.inference_mode():
        assert compute_loss(network, drawn, RECIPE) == compute_loss(network, make_batch([1.0, 0.0]), RECIPE)


def test_the_cells_of_a_network_learn() -> None:
    torch.manual_seed(3)
    network = LungNet(64)
    batch = make_batch([1.0, 1.0], torch.full((2, 40, 40), 255, dtype=torch.uint8))
    compute_loss(network.train(), batch, RECIPE).backward()  # type: ignore[no-untyped-call]
    assert network.detail.weight.grad is not None
    assert network.detail.weight.grad.abs().sum() > 0
    assert all(weights.grad is None for weights in network.crop.parameters())
