from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from bundles import tiny_graph
from covidct.evaluation.examination.graph_surgery import count_layers, expose_lungs, shuffle_weights
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.session import Session
from covidct.training.export import count_spared, export_float
from covidct.training.networks.lung_net import LungNet
from covidct.types import Pixels

SLICES: Pixels = to_display(draw_phantom(Phantom.LESIONS, size=64))[None]


@pytest.fixture(scope="module")
def network() -> LungNet:
    torch.manual_seed(0)
    return LungNet(64).eval()


@pytest.fixture(scope="module")
def graph(network: LungNet, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("graphs") / "lung.onnx"
    export_float(network, path)
    return path.read_bytes()


def test_the_lungs_are_those_of_the_network(network: LungNet, graph: bytes) -> None:
    exposed = expose_lungs(graph)
    assert exposed is not None
    found = Session(exposed, threads=1).run(SLICES)
    with torch.inference_mode():
        wanted = torch.sigmoid(network.crop.finder(torch.from_numpy(SLICES)))
    assert found.evidence == pytest.approx(wanted.numpy(), abs=1e-4)
    assert found.logit == pytest.approx(Session(graph, threads=1).run(SLICES).logit)


def test_a_graph_without_a_box_finds_no_lungs() -> None:
    assert expose_lungs(tiny_graph(0.0)) is None


def test_the_finder_keeps_its_weights(network: LungNet, graph: bytes) -> None:
    convolutions = sum(node.op_type == "Conv" for node in onnx.load_from_string(graph).graph.node)
    assert count_layers(graph) == convolutions - count_spared(network)
    before = Session(graph, threads=1).run(SLICES)
    after = Session(shuffle_weights(graph, share=1.0), threads=1).run(SLICES)
    assert (after.box == before.box).all()
    # Fresh weights see next to nothing, but not the same.
    assert (after.evidence != before.evidence).any()


def test_tensors_keep_their_values(graph: bytes) -> None:
    before, after = (
        {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(data).graph.initializer}
        for data in (graph, shuffle_weights(graph, share=1.0, seed=3))
    )
    changed = [name for name, values in before.items() if not (values == after[name]).all()]
    assert len(changed) >= count_layers(graph)
    for name, values in before.items():
        assert (np.sort(values.ravel()) == np.sort(after[name].ravel())).all()


@pytest.mark.parametrize(("contexts", "parts"), [((), 2), ((1.0, 0.25), 3)])
def test_a_small_share_is_the_last_layer_with_all_its_parts(
    contexts: tuple[float, ...], parts: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    export_float(LungNet(64, contexts=contexts), tmp_path / "x.onnx")
    graph = (tmp_path / "x.onnx").read_bytes()
    before, after = (
        {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(data).graph.initializer}
        for data in (graph, shuffle_weights(graph, share=1e-9))
    )
    changed = [name for name, values in before.items() if not (values == after[name]).all()]
    # Of cells of 16 pixels, of cells of 32, and two contexts of the lungs at large.
    assert sorted(before[name].shape[0] for name in changed) == [1, 1, 2][:parts]


def test_the_same_seed_is_the_same_disorder(graph: bytes) -> None:
    assert shuffle_weights(graph, share=1.0, seed=1) == shuffle_weights(graph, share=1.0, seed=1)
    assert shuffle_weights(graph, share=1.0, seed=1) != shuffle_weights(graph, share=1.0, seed=2)


def test_a_graph_without_layers_cannot_be_shuffled() -> None:
    assert count_layers(tiny_graph(0.0)) == 0
    with pytest.raises(ValueError, match="no layer with weights"):
        shuffle_weights(tiny_graph(0.0), share=1.0)
