from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.training.networks.gate_head import GateHead
from covidct.training.networks.lung_crop import LungCrop
from covidct.training.networks.opacity_net import CERTAIN, Lower, OpacityNet, combine, join
from makers import phantom_hu

SLICES = torch.from_numpy(
    np.stack([to_display(phantom_hu(Phantom.LESIONS, seed=seed, size=80)) for seed in range(3)])
)


def make_network() -> OpacityNet:
    torch.manual_seed(1)
    return OpacityNet(64).eval()


def make_lower(shares: Tensor | None = None) -> Lower:
    torch.manual_seed(2)
    whole = torch.ones(2, 16, 16) if shares is None else shares
    return Lower(torch.rand(2, 32, 8, 8), whole, torch.tensor([[0.0, 0, 1, 1]]).expand(2, 4))


def test_the_outputs_by_name() -> None:
    network = make_network()
    with torch.inference_mode():
        given = dict(zip(network.outputs, network(SLICES), strict=True))
    assert given["map"].shape == (3, 16, 16)
    assert given["box"].shape == (3, 4)
    torch.testing.assert_close(given["map"].mean((1, 2)) + network.bias, given["opacity"])
    torch.testing.assert_close(given["logit"], combine(given["opacity"], given["typical"]))
    assert ((given["extent"] >= 0) & (given["extent"] <= 1)).all()
    assert (given["map"] >= 0).all()


def test_a_gate_stands_behind_the_answers() -> None:
    network = make_network()
    network.guard(GateHead())
    with torch.inference_mode():
        given = dict(zip(network.outputs, network(SLICES), strict=True))
    assert given["gate"].shape[0] == given["lung"].shape[0] == 3


def test_both_answers_must_be_yes() -> None:
    opacity, typical = torch.tensor([3.0, -2.0, 30.0]), torch.tensor([1.0, 40.0, -1.0])
    both = torch.sigmoid(opacity) * torch.sigmoid(typical)
    torch.testing.assert_close(torch.sigmoid(join(opacity, typical)), both)
    assert torch.isfinite(join(torch.tensor(-200.0), torch.tensor(-200.0)))


def test_how_typical_it_is_counts_as_far_as_an_opacity_is_seen() -> None:
    kinds = torch.tensor([-2.0, 2.0])
    clear, full = combine(torch.full((2,), -3.0), kinds), combine(torch.full((2,), 9.0), kinds)
    torch.testing.assert_close(clear, torch.full((2,), -3.0), atol=1e-2, rtol=0)
    torch.testing.assert_close(full, CERTAIN + kinds, atol=1e-3, rtol=0)


def test_more_of_a_certain_opacity_says_nothing_of_its_kind() -> None:
    kind = torch.full((2,), -1.0)
    some, more = combine(torch.tensor([7.0, 20.0]), kind)
    assert abs(some - more) < 0.01


def test_nothing_is_said_of_a_slice_without_lungs() -> None:
    network = make_network()
    with torch.inference_mode():
        seen = network.weigh(make_lower(torch.zeros(2, 16, 16)))
    torch.testing.assert_close(seen.opacity, network.bias.expand(2))
    assert not seen.extent.any()
    assert not seen.evidence.any()


def test_what_is_not_opaque_has_little_say_in_what_is_typical() -> None:
    network = make_network()
    top = torch.zeros(1, 1280, 2, 2)
    top[0, :, 0, 0], top[0, :, 1, 1] = 1.0, -1.0
    torch.nn.init.constant_(network.typical.weight, 1 / 1280)
    opaque, lungs = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    with torch.inference_mode():
        assert network.compare(top, opaque, lungs).item() == pytest.approx(0, abs=1e-6)
        opaque[0, 0, :2, :2] = 1.0
        assert network.compare(top, opaque, lungs).item() > 0.9


def test_the_second_question_does_not_move_where_the_first_looks() -> None:
    network = make_network().train()
    seen = network.weigh(make_lower())
    seen.typical.sum().backward()  # type: ignore[no-untyped-call]
    assert network.typical.weight.grad is not None
    assert network.detail.weight.grad is None


def test_the_lower_part_is_what_the_whole_network_sees() -> None:
    network = make_network()
    with torch.inference_mode():
        seen = network.weigh(network.lower(SLICES))
        torch.testing.assert_close(seen.logit, network(SLICES)[0])


def test_lungs_are_found_as_in_the_graph() -> None:
    network = make_network()
    with torch.inference_mode():
        box = LungCrop.forward(network.crop, SLICES)[1]
        torch.testing.assert_close(network.lower(SLICES).box, box)
