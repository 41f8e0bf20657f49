"""One slice of 512 x 512 through graphs, in turns, on one thread: ours, and plain MobileNetV2 elsewhere.

    python -m benchmarks.graphs [--rounds 30]

Ours take the slice as it is; the plain network takes a tensor of its own size, so resizing, lung finder,
crop, masks and gate are in our times alone. A product of two matrices in single precision stands for the
most that one core can do. Times are processor time, which other programs disturb least. Prints JSON:
milliseconds of each round, operations, and which tools are left out, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any

# Before numpy: its products of matrices take one thread, too.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import onnx
from numpy.typing import NDArray

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.bundle import GRAPHS, load_bundle
from covidct.inference.session import Session
from covidct.types import Precision

SIZES = (224, 256)
GEMM = 768  # rows and columns
PARTS = 1e9  # operations, in thousand millions


@dataclass(frozen=True)
class Contender:
    """What is timed; `operations` of one run, in thousand millions, None where they are not counted."""

    name: str
    run: Callable[[], object]
    operations: float | None = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    skipped: dict[str, str] = {}
    contenders = [make_gemm(), *make_ours(), *make_rivals(skipped)]
    for contender in contenders:
        for _ in range(3):
            contender.run()
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            times[contender.name].append(clock(contender.run))
    operations = {one.name: one.operations for one in contenders if one.operations is not None}
    json.dump({"ms": times, "gflop": operations, "skipped": skipped}, sys.stdout)


def clock(run: Callable[[], object]) -> float:
    """Milliseconds of processor time of one run."""
    begun = time.process_time()
    run()
    return 1e3 * (time.process_time() - begun)


def make_gemm() -> Contender:
    """A product of two square matrices."""
    one, other = np.random.default_rng(0).normal(size=(2, GEMM, GEMM)).astype(np.float32)
    return Contender("product of matrices", partial(np.matmul, one, other), 2 * GEMM**3 / PARTS)


def make_ours() -> list[Contender]:
    """Both graphs of the bundle that ships."""
    bundle, pixels = load_bundle(), to_display(draw_phantom(Phantom.LESIONS))
    precisions: Sequence[Precision] = tuple(GRAPHS)
    return [
        Contender(
            f"covidct, {precision}",
            partial(Session(bundle.graph(precision), threads=1).run, pixels[None]),
            count_operations(onnx.load_from_string(bundle.graph(precision))),
        )
        for precision in precisions
    ]


def make_rivals(skipped: dict[str, str]) -> list[Contender]:
    """The plain network in each tool that is installed; the others' names and why go to `skipped`."""
    found: list[Contender] = []
    tools: Mapping[str, Callable[[int], Contender]] = {
        "PyTorch": make_torch,
        "ONNX Runtime": make_onnx_runtime,
        "OpenVINO": make_openvino,
        "Keras": make_keras,
    }
    for tool, make in tools.items():
        try:
            found.extend(make(size) for size in SIZES)
        except ImportError as error:
            skipped[tool] = f"{error.name or error} is not installed"
    skipped["LiteRT"] = "its file is made by TensorFlow, which this environment does not hold"
    return found


def make_torch(size: int) -> Contender:
    """Eager, as most people run it."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    network, given = make_network(), torch.from_numpy(make_input(size))

    def run() -> object:
        with torch.inference_mode():
            return network(given)

    return Contender(f"plain at {size}, PyTorch", run)


def make_onnx_runtime(size: int) -> Contender:
    """A session of one thread."""
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = export_plain(size)
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    operations = count_operations(onnx.load_from_string(graph))
    feed = {"x": make_input(size)}
    return Contender(f"plain at {size}, ONNX Runtime", partial(session.run, None, feed), operations)


def make_openvino(size: int) -> Contender:
    """Its compiled form of the same file, tuned for the time of one run."""
    core = import_module("openvino").Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(export_plain(size), b""), "CPU", settings)
    return Contender(f"plain at {size}, OpenVINO", partial(compiled, [make_input(size)]))


def make_keras(size: int) -> Contender:
    """`predict`, as its guides call it."""
    model = import_module("keras").applications.MobileNetV2((size, size, 3), weights=None, classes=1)
    given = np.ascontiguousarray(make_input(size).transpose(0, 2, 3, 1))
    return Contender(f"plain at {size}, Keras predict", partial(model.predict, given, verbose=0))


def make_input(size: int) -> NDArray[np.float32]:
    """Noise (1, 3, size, size)."""
    return np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)


def make_network() -> Any:
    """MobileNetV2 with one output, random weights: its time does not depend on them."""
    torch = import_module("torch")
    features = import_module("covidct.training.networks.mobilenet").mobilenet_features()
    head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1280, 1))
    return torch.nn.Sequential(features, head).eval()


def export_plain(size: int) -> bytes:
    """The plain network as ONNX."""
    torch, file = import_module("torch"), BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, on itself
        given = torch.from_numpy(make_input(size))
        torch.onnx.export(make_network(), (given,), file, input_names=["x"], dynamo=False)
    return file.getvalue()


def count_operations(model: onnx.ModelProto) -> float:
    """Multiplications and additions of the convolutions of a graph for one slice, in thousand millions."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    weights = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    # Of int8 graphs, weights come through a node.
    weights |= {
        node.output[0]: weights[node.input[0]]
        for node in inferred.node
        if node.input[:1] and node.input[0] in weights
    }
    shapes = {value.name: value.type.tensor_type.shape.dim for value in inferred.value_info}
    total = 0
    for node in inferred.node:
        if node.op_type == "Conv":
            height, width = (side.dim_value for side in shapes[node.output[0]][2:])
            total += 2 * height * width * int(np.prod(weights[node.input[1]]))
    return total / PARTS


if __name__ == "__main__":
    main()
