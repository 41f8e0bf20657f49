from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from covidct.errors import ParityError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.training.export import check_float, check_int8, export_float
from covidct.training.networks.mobilenet import EvidenceNet


@pytest.fixture(scope="module")
def network() -> EvidenceNet:
    torch.manual_seed(0)
    network = EvidenceNet(64)
    with torch.no_grad():
        network.evidence.weight.normal_(std=1.0)
        network.bias.fill_(0.3)
    return network.eval()


@pytest.fixture(scope="module")
def graph(network: EvidenceNet, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_float(network, path)
    return path.read_bytes()


def test_float_agrees_with_torch_at_any_size(network: EvidenceNet, graph: bytes) -> None:
    rng = np.random.default_rng(0)
    slices = [
        rng.integers(0, 256, shape, np.uint8) for shape in ((64, 64), (200, 333), (1000, 900), (20, 30))
    ]
    slices.append(to_display(draw_phantom(Phantom.LESIONS, seed=1, size=128)))
    assert check_float(network, graph, slices) < 1e-3


def test_grey_slices_meet_a_convolution_of_one_channel(graph: bytes) -> None:
    exported = onnx.load_from_string(graph).graph
    first = next(node for node in exported.node if node.op_type == "Conv")
    (weights,) = (one for one in exported.initializer if one.name == first.input[1])
    assert weights.dims[1] == 1
    used = {name for node in exported.node for name in node.input} | {one.name for one in exported.output}
    assert {one.name for one in exported.initializer} <= used
    assert all(used & {*node.output} for node in exported.node)


def test_a_graph_of_other_weights_is_refused(network: EvidenceNet, graph: bytes) -> None:
    other = EvidenceNet(64)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        other.bias.add_(0.01)
    with pytest.raises(ParityError, match=r"differ from torch by up to 0\.01"):
        check_float(other, graph, [np.zeros((64, 64), np.uint8)])


def test_int8_may_not_be_further_than_the_tolerance() -> None:
    check_int8(0.900, 0.896, pairs=10_000)
    with pytest.raises(ParityError, match=r"AUC 0\.8900 against 0\.9000"):
        check_int8(0.90, 0.89, pairs=10_000)
    with pytest.raises(ParityError):
        check_int8(float("nan"), 0.89, pairs=10_000)


def test_a_single_pair_of_few_may_change_places() -> None:
    check_int8(0.90, 0.86, pairs=100)
    with pytest.raises(ParityError, match=r"allowed is 0\.1 apart"):
        check_int8(0.90, 0.79, pairs=100)
