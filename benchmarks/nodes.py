"""Where the time of a slice goes inside the graph: ONNX Runtime's profile of each node, in four groups.

    python -m benchmarks.nodes [MODEL.onnx]

Convolutions up to the first of the judging network are the lung finder's. Nodes are timed one by one, which
costs a little for each, so shares say more than times. Prints JSON: milliseconds, median of the runs.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import onnx
import onnxruntime as ort

from covidct.evaluation.examination.graph_surgery import list_layers
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.bundle import GRAPHS, default_path

RUNS = 60
SCALING, FINDER, NETWORK = "scaling the slice", "lung finder", "network"
REST = "crop, masks, gate, evidence"
ENDING = "_kernel_time"


def main() -> None:
    """Measure and print."""
    path = Path(sys.argv[1]) if sys.argv[1:] else default_path() / GRAPHS["float"]
    begins = find_judging(onnx.load(path))
    totals: dict[str, float] = defaultdict(float)
    group = FINDER if begins else NETWORK
    for name, kind, took in profile(path):
        if name.removesuffix("_nchwc") in begins:
            group = NETWORK
        totals[to_group(kind, group)] += took
    json.dump(totals, sys.stdout)


def to_group(kind: str, convolutions: str) -> str:
    """The group of a node of some kind, where convolutions belong to `convolutions`."""
    if kind in ("Resize", "Cast"):
        return SCALING
    return convolutions if kind in ("Conv", "QLinearConv", "FusedConv") else REST


def find_judging(model: onnx.ModelProto) -> set[str]:
    """What the first convolution of the judging network may be called once it is fused with what follows."""
    layers = list_layers(model)
    if layers[0] is next(node for node in model.graph.node if node.op_type == "Conv"):
        return set()
    made = layers[0].output[0]
    after = [node.output[0] for node in model.graph.node if made in node.input]
    return {layers[0].name, made, *after}


def profile(path: Path) -> Sequence[tuple[str, str, float]]:
    """Each node in the order it runs: name, kind, milliseconds."""
    with TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        slices = to_display(draw_phantom(Phantom.LESIONS))[None]
        for _ in range(RUNS):
            session.run(None, {"slices": slices})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return to_rows(events)


def to_rows(events: Sequence[Mapping[str, object]]) -> list[tuple[str, str, float]]:
    """The medians of a profile's events, a row each node."""
    times: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for event in events:
        name, details = str(event["name"]), event.get("args")
        if event.get("cat") == "Node" and name.endswith(ENDING) and isinstance(details, dict):
            kinds[name] = details["op_name"]
            times[name].append(float(str(event["dur"])) / 1e3)
    return [(name.removesuffix(ENDING), kind, median(times[name])) for name, kind in kinds.items()]


if __name__ == "__main__":
    main()
