"""The exported graph, cut open: its lungs laid bare, its weights shuffled.

Knows ONNX and the names of the graph's outputs. Whatever `box` depends on finds the lungs, whatever else
`map` depends on judges them; so the graph itself says which weights are whose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def find_lungs(model: onnx.ModelProto) -> str | None:
    """The name of the shares of lung (N, h, w), which the last sigmoid before `box` gives; None without."""
    nodes = model.graph.node
    found = [at for at in sorted(_ancestors(model, "box")) if nodes[at].op_type == "Sigmoid"]
    return nodes[found[-1]].output[0] if found else None


def expose_lungs(graph: bytes) -> bytes | None:
    """The graph with the shares of lung (N, h, w) that its box is made from in the place of its `map`.

    None for a graph that finds no lungs.
    """
    model = onnx.load_from_string(graph)
    shown = find_lungs(model)
    if shown is None:
        return None
    for node in model.graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                names[at] = "map_before" if name == "map" else name
    model.graph.node.append(helper.make_node("Identity", [shown], ["map"]))
    kept = [output for output in model.graph.output if output.name != "map"]
    del model.graph.output[:]
    shape = ["N", "rows", "columns"]
    model.graph.output.extend([*kept, helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, shape)])
    return bytes(model.SerializeToString())


def count_layers(graph: bytes) -> int:
    """How many layers with weights judge what the finder, if there is one, has found."""
    return len(list_layers(onnx.load_from_string(graph)))


def shuffle_weights(graph: bytes, *, share: float, seed: int = 0) -> bytes:
    """The graph with weights and biases of its last layers each in another order.

    `share` in (0, 1] of the layers that judge, from the evidence backwards, and at least those that no other
    follows: parts of the evidence side by side are one layer. The finder's stay as they are. Each tensor
    keeps its values, and so its mean and spread. Raises ValueError for a graph without layers.
    """
    model = onnx.load_from_string(graph)
    layers = list_layers(model)
    if not layers:
        raise ValueError("the graph has no layer with weights to shuffle")
    followed = _find_followed(model, layers)
    layers.sort(key=lambda node: node.output[0] not in followed)
    count = max(len(layers) - len(followed), math.ceil(share * len(layers)))
    rng = np.random.default_rng(seed)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    changed = {name for node in layers[-count:] for name in node.input[1:]}
    for name in sorted(changed & set(stored)):
        values = numpy_helper.to_array(stored[name])
        mixed = rng.permutation(values.ravel()).reshape(values.shape)
        stored[name].CopyFrom(numpy_helper.from_array(mixed, name))
    return bytes(model.SerializeToString())


def list_layers(model: onnx.ModelProto) -> list[NodeProto]:
    """Nodes with weights of their own that `map` depends on and `box` does not, from the input on."""
    stored = {tensor.name for tensor in model.graph.initializer}
    judging = _ancestors(model, "map") - _ancestors(model, "box")
    return [
        node
        for at, node in enumerate(model.graph.node)
        if at in judging and node.op_type in LAYERS and stored & set(node.input[1:])
    ]


def _find_followed(model: onnx.ModelProto, layers: list[NodeProto]) -> set[str]:
    """What those of the layers are called, by output, that another one follows."""
    nodes = model.graph.node
    before = {at for layer in layers for name in layer.input for at in _ancestors(model, name)}
    return {nodes[at].output[0] for at in before} & {layer.output[0] for layer in layers}


def _ancestors(model: onnx.ModelProto, name: str) -> set[int]:
    """Places of the nodes that a value depends on; none for a value that the graph does not have."""
    makers = {output: at for at, node in enumerate(model.graph.node) for output in node.output}
    return set(_walk(model, makers, name))


def _walk(model: onnx.ModelProto, makers: dict[str, int], name: str) -> Iterator[int]:
    waiting, seen = [name], set()
    while waiting:
        at = makers.get(waiting.pop())
        if at is None or at in seen:
            continue
        seen.add(at)
        yield at
        waiting.extend(model.graph.node[at].input)
