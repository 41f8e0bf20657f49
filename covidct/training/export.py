"""A trained network as the two graphs that ship: float, and int8 for CPUs.

Knows ONNX and what must hold of the graphs. int8 is QDQ with unsigned activations and weights
scaled per channel; resizing, normalisation, the first layers and the evidence layer stay in
float, as they cost little and decide how near int8 comes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.export import Dim

from covidct.errors import ParityError
from covidct.inference.session import Session
from covidct.training.networks.build import Network
from covidct.training.networks.lung_net import LungNet
from covidct.types import Pixels

OPSET = 20
FLOAT_TOLERANCE = 1e-3  # of the logit, against torch
# Convolutions that stay in float at the start. Measured (docs/research/experiments.md): all in int8, the mean
# |d logit| is 0.50; with four in float 0.13; seven bring the AUC of the smallest source within 0.004.
FLOAT_LAYERS = 7
INT8_TOLERANCE = 5e-3  # of the AUC on `tune`, against float
PAIRS = 1.0  # how many square roots of its pairs may change places, where they are few


def export_float(network: Network, path: Path) -> None:
    """Write the network as ONNX: `slices` (N, H, W) uint8 -> `logit`, `map` and its other outputs."""
    example = torch.zeros((2, 96, 80), dtype=torch.uint8)
    sizes = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC, 2: Dim.DYNAMIC}
    with warnings.catch_warnings(), _quiet("torch.onnx", "onnxscript"):
        # The exporter's own deprecations, which say nothing about this network.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.cpu().eval(),
            (example,),
            dynamo=True,
            input_names=["slices"],
            output_names=list(network.outputs),
            dynamic_shapes={"slices": sizes},
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    onnx.save(_strip(_narrow(program.model_proto)), path)


def export_int8(float_path: Path, path: Path, slices: Sequence[Pixels], *, spared: int = 0) -> None:
    """Quantise a float graph; ranges are calibrated on `slices`, training slices (H, W) uint8 of any size.

    The first `spared` convolutions (`count_spared`), and all before the one after them, stay in float.
    """
    with TemporaryDirectory() as folder, _quiet("root"):
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _Calibration(slices),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Seven bits: on CPUs without VNNI, eight overflow the 16-bit sums of the kernels.
            reduce_range=True,
            op_types_to_quantize=["Conv", "Add", "Clip"],
            nodes_to_exclude=_float_nodes(prepared, spared),
            calibrate_method=CalibrationMethod.MinMax,
        )
        onnx.save(_strip(onnx.load(path)), path)


def check_float(network: Network, graph: bytes, slices: Sequence[Pixels]) -> float:
    """Largest |d logit| between torch and the float graph. Raises ParityError above 1e-3."""
    session = Session(graph)
    network.eval()
    with torch.inference_mode():
        wanted = [network(torch.from_numpy(pixels[None]))[0].item() for pixels in slices]
    given = [session.run(pixels[None]).logit[0] for pixels in slices]
    apart = float(np.abs(np.array(wanted) - np.array(given)).max())
    if not apart <= FLOAT_TOLERANCE:
        raise ParityError(
            f"float graph: logits differ from torch by up to {apart:.2g}, allowed is {FLOAT_TOLERANCE:g}"
        )
    return apart


def check_int8(float_auc: float, int8_auc: float, *, pairs: int) -> None:
    """Raise ParityError where int8 and float are further apart than 0.005 of AUC.

    `pairs` is how many pairs of a positive and a negative slice the AUC counts: where they are few, a single
    one weighs more than that, and as many as their square root may change places.
    """
    allowed = max(INT8_TOLERANCE, PAIRS / max(pairs, 1) ** 0.5)
    if not abs(float_auc - int8_auc) <= allowed:
        raise ParityError(
            f"int8 graph: AUC {int8_auc:.4f} against {float_auc:.4f} in float, "
            f"allowed is {allowed:g} apart; calibrate on more slices"
        )


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Hands slices to the quantiser one by one."""

    def __init__(self, slices: Sequence[Pixels]):
        self._slices: Iterator[Pixels] = iter(slices)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next feed, None at the end."""
        pixels = next(self._slices, None)
        return None if pixels is None else {"slices": pixels[None]}


def count_spared(network: Network) -> int:
    """Convolutions that find the lungs: a box in eight bits would jump, and they take little of the time."""
    found = network.crop.modules() if isinstance(network, LungNet) else ()
    return sum(isinstance(module, nn.Conv2d) for module in found)


def _float_nodes(path: Path, spared: int) -> list[str]:
    """What stays in float: the first layers, where eight bits cost most, the evidence, and what follows it.

    In eight bits evidence would have 256 values at most, and so would the logit.
    """
    graph = onnx.load(path).graph
    channels = {weights.name: weights.dims[0] for weights in graph.initializer if weights.dims}
    names = [node.name for node in graph.node]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    before = names[: names.index(convolutions[spared].name)] if spared else []
    first = convolutions[spared : spared + FLOAT_LAYERS]
    # The last convolution, where a network's evidence is no layer of its own.
    speaking = (node.name for node in convolutions[spared:] if channels.get(node.input[1]) == 1)
    evidence = next(speaking, convolutions[-1].name)
    return [*before, *(node.name for node in first), *names[names.index(evidence) :]]


def _narrow(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convolutions of three channels that are all alike become convolutions of one: slices are grey."""
    graph = model.graph
    made = {node.output[0]: node for node in graph.node}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        source = made.get(node.input[0]) if node.op_type == "Conv" else None
        if source is not None and source.op_type == "Expand":
            tensor = weights[node.input[1]]
            summed = numpy_helper.to_array(tensor).sum(1, keepdims=True)
            tensor.CopyFrom(numpy_helper.from_array(summed, tensor.name))
            node.input[0] = source.input[0]
    return _prune(model)


def _prune(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without nodes and constants that nothing uses any more."""
    graph = model.graph
    used = {output.name for output in graph.output}
    for node in reversed(graph.node):
        if used & {*node.output}:
            used |= {*node.input}
    kept = [node for node in graph.node if used & {*node.output}]
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    # Shapes in between are left to be inferred again: some have changed.
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(constants)
    return model


def _strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the exporter's notes, which hold paths of the machine and weigh as much as a layer."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info):
        holder.ClearField("doc_string")
        holder.ClearField("metadata_props")
    model.producer_name = "covidct"
    return model


class _quiet:  # noqa: N801
    """Silence loggers of the exporters, which tell of every pass they make."""

    def __init__(self, *names: str):
        self._loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
