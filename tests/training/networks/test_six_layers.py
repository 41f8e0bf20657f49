from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from covidct.data.recipe import Phase, Recipe
from covidct.training.export import check_float, export_float, export_int8
from covidct.training.networks.build import build_network
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.networks.six_layers import Repeat, SixLayerNet
from covidct.training.slices import to_square


def test_it_has_the_originals_parameters() -> None:
    """Six convolutions, 2048 -> 128 -> 2: 1.84 million, counted by hand."""
    assert sum(weight.numel() for weight in SixLayerNet(128).parameters()) == 1_835_298


def test_its_depths_hold_every_weight_once() -> None:
    network = SixLayerNet(64)
    held = [id(weight) for depth in network.depths() for weight in depth]
    assert sorted(held) == sorted(id(weight) for weight in network.parameters())


def test_the_logit_is_the_softmaxs() -> None:
    network = SixLayerNet(64).eval()
    slices = torch.randint(0, 256, (3, 70, 50), dtype=torch.uint8)
    with torch.inference_mode():
        logit, evidence = network(slices)
        scores = network.head(network.features(network.standardise(slices)))
    assert evidence.shape == (3, 1, 1)
    assert torch.equal(evidence[:, 0, 0], logit)
    assert torch.sigmoid(logit).numpy() == pytest.approx(torch.softmax(scores, 1)[:, 1].numpy(), abs=1e-6)


@pytest.mark.parametrize("shape", [(128, 128), (200, 150), (61, 115), (512, 512)])
def test_training_slices_are_resized_as_in_the_graph(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    given = Repeat(128)(torch.from_numpy(pixels[None]))
    assert given.shape == (1, 3, 128, 128)
    assert np.array_equal(given[0, 1].numpy(), to_square(pixels, 128, resize="nearest"))


def test_both_graphs_say_what_torch_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SixLayerNet(64)
    shapes = ((80, 64), (61, 115), (149, 353), (352, 211))
    slices = [np.random.default_rng(0).integers(0, 256, shape, np.uint8) for shape in shapes]
    export_float(network, tmp_path / "float.onnx")
    assert check_float(network, (tmp_path / "float.onnx").read_bytes(), slices) < 1e-3
    export_int8(tmp_path / "float.onnx", tmp_path / "int8.onnx", slices)
    assert check_float(network, (tmp_path / "int8.onnx").read_bytes(), slices) < 1e-3


def test_a_recipe_names_its_network() -> None:
    phases = (Phase("only", 1, 1e-3),)
    assert isinstance(build_network(Recipe("a", "six_layers", phases, pretrained=False)), SixLayerNet)
    assert isinstance(build_network(Recipe("a", "mobilenet_v2", phases)), EvidenceNet)
