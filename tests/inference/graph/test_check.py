from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bundles import tiny_graph
from covidct.errors import BundleError
from covidct.inference.bundle import GRAPHS, load_bundle
from covidct.inference.graph.check import check_graph

GRAPH = tiny_graph(0)


@pytest.mark.parametrize("precision", GRAPHS)
def test_the_shipped_graphs_pass(precision: str) -> None:
    check_graph(load_bundle().files[GRAPHS["float" if precision == "float" else "int8"]])


def test_a_plain_graph_passes() -> None:
    check_graph(GRAPH)


def put_values_elsewhere(model: ModelProto) -> None:
    """As `onnx.save(save_as_external_data=True)` writes them."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def put_values_elsewhere_by_location_alone(model: ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def put_values_elsewhere_in_an_attribute(model: ModelProto) -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0])
    value.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["v"], value=value))


def make_an_operator_foreign(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.stranger"


def define_an_operator(model: ModelProto) -> None:
    node = helper.make_node("Neg", ["x"], ["y"])
    model.functions.append(
        helper.make_function("own", "Own", ["x"], ["y"], [node], [helper.make_opsetid("", 20)])
    )


def add_a_loop(model: ModelProto) -> None:
    """With 2^62 rounds it ends in no one's life."""
    keep = helper.make_node("Identity", ["on"], ["on_still"])
    body = helper.make_graph(
        [keep],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on_still", TensorProto.BOOL, [])],
    )
    model.graph.node.append(helper.make_node("Loop", ["rounds", ""], [], body=body))


def add_sparse_values(model: ModelProto) -> None:
    """One value that unfolds to 10 GB."""
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [0]))
    sparse.dims.extend([50_000, 50_000])


def add_sparse_values_in_an_attribute(model: ModelProto) -> None:
    node = helper.make_node("Constant", [], ["s"])
    attribute = node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.dims.extend([50_000, 50_000])
    model.graph.node.append(node)


def claim_more_values_than_there_are(model: ModelProto) -> None:
    tensor = model.graph.initializer.add(name="huge", data_type=TensorProto.FLOAT)
    tensor.dims.extend([50_000, 50_000])
    tensor.raw_data = b"\0" * 8


def claim_negative_sides(model: ModelProto) -> None:
    tensor = model.graph.initializer.add(name="negative", data_type=TensorProto.FLOAT)
    tensor.dims.extend([-1])
    tensor.raw_data = b"\0" * 8


def add_steps_of_a_training(model: ModelProto) -> None:
    model.training_info.add()


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (put_values_elsewhere, "values in another file"),
        (put_values_elsewhere_by_location_alone, "values in another file"),
        (put_values_elsewhere_in_an_attribute, "values in another file"),
        (make_an_operator_foreign, "an operator that is none of ONNX's own"),
        (define_an_operator, "operators of its own"),
        (add_a_loop, "a graph within an operator"),
        (add_sparse_values, "sparse values"),
        (add_sparse_values_in_an_attribute, "sparse values"),
        (claim_more_values_than_there_are, "weights of 2,500,000,000 values, and does not hold them"),
        (claim_negative_sides, "weights of 18,446,744,073,709,551,615 values"),
        (add_steps_of_a_training, "steps of a training"),
    ],
)
def test_what_no_graph_may_have(spoil: Callable[[ModelProto], None], fault: str) -> None:
    model = onnx.load_from_string(GRAPH)
    spoil(model)
    with pytest.raises(BundleError, match=rf"^the graph has {fault}.*, which covidct never writes"):
        check_graph(model.SerializeToString())


def test_a_spoilt_graph_beside_a_good_one_is_seen() -> None:
    """Protocol buffers join a field that comes twice, so both halves of a graph must be looked at."""
    model = onnx.load_from_string(GRAPH)
    make_an_operator_foreign(model)
    second = ModelProto(graph=onnx.GraphProto(node=model.graph.node[:1])).SerializeToString()
    assert any(node.domain for node in onnx.load_from_string(GRAPH + second).graph.node)
    with pytest.raises(BundleError, match="none of ONNX's own"):
        check_graph(GRAPH + second)


@pytest.mark.parametrize("value", [np.zeros(3, np.int8), np.zeros((0, 4), np.float32), np.float64(1)])
def test_values_of_any_type_pass(value: np.ndarray) -> None:
    model = onnx.load_from_string(GRAPH)
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), "more"))
    check_graph(model.SerializeToString())


def test_values_of_four_bits_pass() -> None:
    model = onnx.load_from_string(GRAPH)
    model.graph.initializer.append(helper.make_tensor("four", TensorProto.INT4, [64], [0] * 64))
    check_graph(model.SerializeToString())


@pytest.mark.parametrize(
    "data", [b"no graph at all", GRAPH[:-40], b"\x3a", b"\x3a\xff", b"\xff" * 20, b"\x0b\x0c", b"\x09\x00"]
)
def test_what_is_no_graph(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"^the graph is not an ONNX file \(.*\); copy the bundle again$"):
        check_graph(data)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(GRAPH) - 1), change=st.integers(1, 255))
def test_any_byte_may_change(place: int, change: int) -> None:
    data = bytearray(GRAPH)
    data[place] ^= change
    with suppress(BundleError):
        check_graph(bytes(data))
