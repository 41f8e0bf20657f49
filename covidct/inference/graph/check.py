"""What a graph must not hold, read from its bytes before ONNX Runtime sees them.

A graph of covidct's is a straight line of ONNX's own operators with all its weights inside. Anything else
(other files, operators of your own, loops that need not end, a few values that unfold to gigabytes) is
refused with the reason. Knows the field numbers of onnx.proto. Knows nothing of what the operators compute:
the memory that they need is limited where they run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from covidct.errors import BundleError
from covidct.inference.graph.wire import read_fields, read_numbers

DOMAINS = (b"", b"ai.onnx")
DIMS, DOMAIN, LOCATION = 1, 7, 14


@dataclass(frozen=True)
class _Message:
    """A message of onnx.proto: fields that hold messages to look into, and those that no graph may have."""

    inside: dict[int, _Message] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


_SPARSE = "sparse values, a few of which may unfold to any size"
_SUBGRAPH = "a graph within an operator (If, Loop, Scan), which need not come to an end"
_TENSOR = _Message(refused={13: "values in another file"})
_ATTRIBUTE = _Message({5: _TENSOR, 10: _TENSOR}, {6: _SUBGRAPH, 11: _SUBGRAPH, 22: _SPARSE, 23: _SPARSE})
_NODE = _Message({5: _ATTRIBUTE})
_GRAPH = _Message({1: _NODE, 5: _TENSOR}, {15: _SPARSE})
_MODEL = _Message({7: _GRAPH}, {20: "steps of a training", 25: "operators of its own"})


def check_graph(graph: bytes) -> None:
    """Raise BundleError for a graph with anything but ONNX's operators and values of its own."""
    try:
        fault = _find_fault(memoryview(graph), _MODEL)
    except (IndexError, ValueError) as error:
        raise BundleError(f"the graph is not an ONNX file ({error}); copy the bundle again") from error
    if fault:
        raise BundleError(f"the graph has {fault}, which covidct never writes; do not use it")


def _find_fault(data: memoryview, message: _Message) -> str:
    """What a message holds that no graph may have, or nothing."""
    size = 1
    for number, value in read_fields(data):
        if fault := message.refused.get(number) or _find_value_fault(number, value, message):
            return fault
        if isinstance(value, memoryview) and (inner := message.inside.get(number)):
            if fault := _find_fault(value, inner):
                return fault
        elif message is _TENSOR and number == DIMS:
            size *= math.prod(read_numbers(value))
    if message is _TENSOR and size > 2 * len(data):  # the smallest values are of four bits
        return f"weights of {size:,} values, and does not hold them"
    return ""


def _find_value_fault(number: int, value: int | memoryview, message: _Message) -> str:
    if message is _TENSOR and number == LOCATION and value != 0:
        return "values in another file"
    if (
        message is _NODE
        and number == DOMAIN
        and isinstance(value, memoryview)
        and bytes(value) not in DOMAINS
    ):
        return "an operator that is none of ONNX's own"
    return ""
