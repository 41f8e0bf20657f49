"""How long the lung finder takes beside the classifier behind it, both cut out of a float graph.

    python benchmarks/finder.py [MODEL.onnx]

The finder is what lies between its first convolution and the shares of lung, the classifier what lies between
its own first convolution and the evidence; scaled copies, crop and sums belong to neither. Noise of the
network's sizes, in turns, on one thread: medians, and their ratio.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx.utils import Extractor
from onnxruntime import InferenceSession, SessionOptions

from covidct.evaluation.examination.graph_surgery import find_lungs, list_layers
from covidct.inference.bundle import GRAPHS, default_path

ROUNDS = 300


def cut(path: Path) -> Iterator[InferenceSession]:
    """The finder and the classifier, each a graph of its own."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    lungs, judging = find_lungs(model), list_layers(model)
    if lungs is None:
        raise SystemExit(f"{path}: finds no lungs")
    channels = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    # What is said of a cell is one number.
    evidence = [node.output[0] for node in judging if channels[node.input[1]] == 1]
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for start, ends in ((first, [lungs]), (judging[0], evidence)):
        part = Extractor(model).extract_model([start.input[0]], ends)
        yield InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(session: InferenceSession) -> float:
    """Seconds that a part takes for noise of its size."""
    (given,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    start = time.perf_counter()
    session.run(None, {given.name: noise})
    return time.perf_counter() - start


def main() -> None:
    """Print the times of both parts and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("graph", type=Path, nargs="?", default=default_path() / GRAPHS["float"])
    sessions = list(cut(parser.parse_args().graph))
    rounds = [[run(session) for session in sessions] for _ in range(ROUNDS)]
    finder, classifier = (1e3 * median(times) for times in zip(*rounds, strict=True))
    print(f"finder {finder:.2f} ms, classifier {classifier:.2f} ms: {finder / classifier:.1%}")


if __name__ == "__main__":
    main()
