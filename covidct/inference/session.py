"""ONNX Runtime: slices in, raw outputs out. The only home of onnxruntime in the core.

Each run takes one slice and one thread; several slices are several runs at a time. Batches in one run take
more memory and, on the cores of a laptop, more time (`benchmarks/`). Knows the graph's inputs and outputs.
Knows nothing of files or of what a logit means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from covidct.errors import BundleError
from covidct.images.decoding.cores import count_cores
from covidct.images.library_errors import damage_as
from covidct.inference.ahead import map_ahead
from covidct.inference.graph.check import check_graph
from covidct.inference.graph.time_limit import end_after
from covidct.types import WHOLE, Evidence, Pixels

OPTIONAL = ("box", "gate", "lung", "opacity", "typical", "extent")
AXES = {"logit": 1, "map": 3, "box": 2, "gate": 2}
MEMORY = 2**32  # bytes for all runs of a process; one of the largest slice takes 300 MB
SECONDS = 120.0  # for a slice: a hundred times what one takes
FOLDED = str(2**22)  # bytes of a value that is computed when a graph is loaded, where nothing limits the time
LARGE = 2**22  # pixels: what a run takes of memory beyond that is given back after it


@dataclass(frozen=True)
class Outputs:
    """The outputs of a graph for N slices: `logit` (N,), `evidence` (N, h, w) and `box` (N, 4), all float32.

    `box` is the part of each slice that its evidence covers: left, top, right, bottom in [0, 1] of its sides.
    `gate` (N, K) are logits of what the picture shows, `lung` (N,) is the share of it that is lung, in [0,
    1]; None if the graph has no gate. `opacity` and `typical` (N,) are the logits of the two questions (is
    there an opacity, is it typical of COVID-19), `extent` (N,) is the share of the lungs that is opaque; None
    if the graph asks only one question.
    """

    logit: NDArray[np.float32]
    evidence: Evidence
    box: NDArray[np.float32]
    gate: NDArray[np.float32] | None = None
    lung: NDArray[np.float32] | None = None
    opacity: NDArray[np.float32] | None = None
    typical: NDArray[np.float32] | None = None
    extent: NDArray[np.float32] | None = None


class Session:
    """A graph ready to run, from any thread."""

    def __init__(self, graph: bytes, *, threads: int | None = None):
        """`threads` is how many slices run at a time, one core each; by default all cores of this process.

        Raises BundleError for a graph that covidct cannot have made, or that cannot be loaded.
        """
        check_graph(graph)
        _limit_memory()
        self.threads = threads or count_cores()
        # Whoever asks, and from however many threads: a run has memory of its own (some 20 MB at 512 x 512).
        self._turns = BoundedSemaphore(self.threads)
        # Its fallback would print what went wrong, and try the same once more.
        # ONNX Runtime raises its own types, derived from Exception and not exported under stable names.
        with damage_as(lambda cause: BundleError(f"the graph cannot be loaded by ONNX Runtime: {cause}")):
            self._session = ort.InferenceSession(
                graph, _to_options(), providers=["CPUExecutionProvider"], enable_fallback=False
            )
        outputs = {value.name for value in self._session.get_outputs()}
        names = outputs | {value.name for value in self._session.get_inputs()}
        if missing := sorted({"slices", "logit", "map"} - names):
            raise BundleError(f"the graph lacks {', '.join(missing)}; it was not made by covidct")
        optional = [name for name in OPTIONAL if name in outputs]
        self._wanted = ["logit", "map", *optional]

    def run(self, slices: Pixels) -> Outputs:
        """Run (N, H, W) uint8 slices, N >= 1, display grey levels of the lung window, through the graph.

        Raises ValueError for another shape or type, BundleError for a graph that fails, or whose outputs have
        other shapes or are not finite.
        """
        if slices.ndim != 3 or slices.dtype != np.uint8 or not slices.size:
            raise ValueError(f"slices must be (N, H, W) uint8, not {slices.shape} {slices.dtype}")
        count, height, width = slices.shape
        # As above; numpy's own errors where an output has no axis for slices.
        failure = f"the graph fails on slices of {height} x {width}: the bundle is damaged or memory is short"
        with damage_as(lambda cause: BundleError(f"{failure} ({cause})")):
            parts = self._run_each(slices)
            joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
        given = dict(zip(self._wanted, joined, strict=True))
        _check_outputs(given, count)
        # A graph that does not crop has no box: its map covers the whole slice.
        whole = np.tile(np.array(WHOLE, np.float32), (count, 1))
        return Outputs(
            given["logit"],
            given["map"],
            given.get("box", whole),
            *(given.get(name) for name in OPTIONAL[1:]),
        )

    def run_many(self, slices: Iterable[Pixels]) -> Iterator[Outputs]:
        """`run` for slices (H, W) uint8 of any sizes: the outputs of each, in order, several at a time."""
        return map_ahead(lambda one: self.run(one[None]), slices, threads=self.threads)

    def _run_each(self, slices: Pixels) -> list[list[NDArray[np.float32]]]:
        """The outputs of each slice (N, H, W), one run each."""
        if len(slices) == 1:
            return [self._run_one(slices)]
        ones = (slices[at : at + 1] for at in range(len(slices)))
        return list(map_ahead(self._run_one, ones, threads=self.threads))

    def _run_one(self, one: Pixels) -> list[NDArray[np.float32]]:
        options = _give_back() if one.size > LARGE else ort.RunOptions()
        with self._turns, end_after(SECONDS, lambda: setattr(options, "terminate", True)):
            outputs: list[NDArray[np.float32]] = self._session.run(self._wanted, {"slices": one}, options)
            return outputs


def _to_options() -> ort.SessionOptions:
    """One thread a run, and the memory of `_limit_memory`."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("optimization.constant_folding_max_output_size_in_bytes", FOLDED)
    options.log_severity_level = 4  # errors are raised, and said once
    return options


@cache
def _limit_memory() -> None:
    """Have ONNX Runtime refuse what would take more than MEMORY in this process, before it takes it."""
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": MEMORY}))


def _give_back() -> ort.RunOptions:
    """Have memory given back after a run: the arena would keep that of the largest slice for good."""
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _check_outputs(given: Mapping[str, NDArray[np.float32]], count: int) -> None:
    """Raise BundleError for outputs of `count` slices that have other shapes, or that are no numbers."""
    axes = {name: values.ndim for name, values in given.items() if name in AXES}
    if axes != {name: AXES[name] for name in axes} or any(len(values) != count for values in given.values()):
        shapes = ", ".join(f"{name} {values.shape}" for name, values in given.items())
        raise BundleError(f"the graph gives outputs of other shapes ({shapes}); it was not made by covidct")
    numbers = (values for name, values in given.items() if name not in ("map", "box"))
    if not all(np.isfinite(values).all() for values in numbers):
        raise BundleError("the graph gives no finite logit; the bundle is damaged, do not use it")
