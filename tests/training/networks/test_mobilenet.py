from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from covidct.images.hounsfield import to_display
from covidct.training.networks.mobilenet import (
    FEATURES,
    GREY_MEAN,
    GREY_STD,
    EvidenceNet,
    Standardise,
    mobilenet_features,
)
from makers import phantom_hu
from states import make_network


@pytest.fixture(scope="module")
def network() -> EvidenceNet:
    return make_network(64)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters(network: EvidenceNet) -> None:
    assert count(network.features) == 2_223_872  # those of MobileNetV2 1.0 without its classifier
    assert count(network) == 2_223_872 + FEATURES + 1


def test_key_layout(network: EvidenceNet, shared_weights: Path) -> None:
    own = {key: value for key, value in network.state_dict().items() if key.startswith("features.")}
    shapes = {key: value.shape for key, value in load_file(shared_weights).items()}
    # What counts the batches is of no use to anybody, and not everybody keeps it.
    assert {key for key in set(own) ^ set(shapes) if not key.endswith("num_batches_tracked")} == set()
    assert all(own[key].shape == shape for key, shape in shapes.items())


def test_stages() -> None:
    sides, x = [], torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        for block in mobilenet_features().eval():
            x = block(x)
            sides.append(x.shape[-1])
    assert (len(sides), sorted(set(sides), reverse=True)) == (19, [32, 16, 8, 4, 2])
    assert x.shape == (1, FEATURES, 2, 2)


@settings(deadline=None, max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 150), st.integers(1, 150)), seed=st.integers(0, 2**32)
)
def test_the_map_is_the_decision(network: EvidenceNet, shape: tuple[int, int, int], seed: int) -> None:
    slices = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
    with torch.no_grad():
        network.bias.fill_(0.25)
        logit, evidence = network(slices)
    assert (logit.shape, evidence.shape) == ((shape[0],), (shape[0], 2, 2))
    assert logit.dtype == evidence.dtype == torch.float32
    assert evidence.mean(dim=(1, 2)) + 0.25 == pytest.approx(logit, abs=1e-5)
    assert evidence.std() > 0.01


def run(network: EvidenceNet, slices: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        logit, evidence = network(slices)
    return logit, evidence


def test_eval_is_deterministic_and_training_is_not(network: EvidenceNet) -> None:
    slices = torch.stack([torch.from_numpy(to_display(phantom_hu(seed=seed))) for seed in range(3)])
    first, again = run(network, slices), run(network, slices)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    # One slice at a time is the same.
    assert run(network, slices[1:2])[0] == pytest.approx(first[0][1:2], abs=1e-5)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    assert not torch.equal(run(network, slices)[0], run(network, slices)[0])
    network.load_state_dict(state)
    network.eval()


@settings(deadline=None, max_examples=25)
@given(shape=st.tuples(st.integers(1, 200), st.integers(1, 200)), grey=st.integers(0, 255))
def test_standardise_keeps_grey_levels(shape: tuple[int, int], grey: int) -> None:
    x = Standardise(32)(torch.full((2, *shape), grey, dtype=torch.uint8))
    assert x.shape == (2, 3, 32, 32)
    assert x * GREY_STD + GREY_MEAN == pytest.approx(torch.full_like(x, grey / 255), abs=1e-5)


def test_standardise_does_not_mind_resolution() -> None:
    # Stripes finer than the network's input are grey, whatever they fall on.
    for width in (1, 2):
        stripes = torch.tensor([0] * width + [255] * width, dtype=torch.uint8)
        slices = stripes.repeat(1, 200, 100 // width)
        grey = Standardise(32)(slices)[..., 4:-4] * GREY_STD + GREY_MEAN
        assert (grey - 0.5).abs().max() < 0.1
