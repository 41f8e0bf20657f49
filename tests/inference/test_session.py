from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import covidct.inference.session
from bundles import BIASES, tiny_graph
from covidct.errors import BundleError
from covidct.images.decoding.cores import count_cores
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.inference.bundle import load_bundle
from covidct.inference.session import Session
from covidct.types import Precision
from makers import phantom_hu


@cache
def tiny() -> Session:
    return Session(tiny_graph(BIASES["float"]), threads=1)


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(1, 5), height=st.integers(1, 700), width=st.integers(1, 700))
def test_any_number_of_slices_of_any_size(number: int, height: int, width: int) -> None:
    outputs = tiny().run(noise(number, height, width))
    assert outputs.logit.shape == (number,)
    assert outputs.logit.dtype == np.float32
    assert outputs.evidence.shape == (number, 4, 4)
    assert outputs.evidence.dtype == np.float32


def test_the_map_is_the_decision() -> None:
    outputs = tiny().run(noise(4, 40, 50))
    np.testing.assert_allclose(
        outputs.evidence.mean(axis=(1, 2)) + BIASES["float"], outputs.logit, rtol=0, atol=1e-5
    )


def test_the_shipped_map_is_the_decision() -> None:
    """The bias is the graph's own, so it must be the same for every slice of every size."""
    session = Session(load_bundle().graph("float"), threads=1)
    slices = [
        to_display(phantom_hu(Phantom.NORMAL, size=128)),
        to_display(phantom_hu(Phantom.LESIONS, seed=1, size=200)),
        noise(90, 140),
        np.zeros((64, 64), np.uint8),
    ]
    biases = []
    for pixels in slices:
        outputs = session.run(pixels[None])
        assert outputs.evidence.shape[0] == 1
        # Of two questions the map shows the first.
        shown = outputs.logit if outputs.opacity is None else outputs.opacity
        biases.append(float(shown[0] - outputs.evidence[0].mean()))
    np.testing.assert_allclose(biases, biases[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("precision", ["float", "int8"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 300), (1, 33, 57)])
def test_the_shipped_graphs_take_any_size(precision: Precision, shape: tuple[int, int, int]) -> None:
    outputs = Session(load_bundle().graph(precision), threads=1).run(noise(*shape))
    assert outputs.logit.shape == shape[:1]
    assert outputs.evidence.ndim == 3
    assert np.isfinite(outputs.logit).all()


def test_a_slice_does_not_depend_on_its_neighbours() -> None:
    slices = noise(3, 60, 60)
    together = tiny().run(slices)
    for at in range(3):
        alone = tiny().run(slices[at : at + 1])
        np.testing.assert_allclose(alone.logit[0], together.logit[at], rtol=0, atol=1e-5)


def test_memory_order_does_not_matter() -> None:
    slices = noise(2, 40, 60)
    turned = np.asarray(np.asfortranarray(slices))
    np.testing.assert_array_equal(tiny().run(turned).logit, tiny().run(slices).logit)
    np.testing.assert_array_equal(
        tiny().run(slices[:, ::2, ::3]).logit, tiny().run(slices[:, ::2, ::3].copy()).logit
    )


@pytest.mark.parametrize(
    "slices",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((1, 1, 32, 32), np.uint8),
        np.zeros((1, 32, 32), np.int16),
        np.zeros((1, 32, 32), np.float32),
        np.zeros((1, 32, 32), bool),
    ],
)
def test_wrong_shape_or_type(slices: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, H, W\) uint8, not \("):
        tiny().run(slices)


@pytest.mark.parametrize("graph", [b"", tiny_graph(0)[:2]])
def test_what_onnx_runtime_does_not_take(graph: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be loaded by ONNX Runtime"):
        Session(graph)


def test_a_graph_of_a_later_onnx() -> None:
    model = onnx.load_from_string(tiny_graph(0))
    model.ir_version = 99
    with pytest.raises(BundleError, match=r"cannot be loaded .* [Uu]nsupported model IR version: 99"):
        Session(model.SerializeToString())


@pytest.mark.parametrize("name", ["slices", "logit", "map"])
def test_another_graph(name: str) -> None:
    model = onnx.load_from_string(tiny_graph(0))
    for value in (*model.graph.input, *model.graph.output):
        value.name = "other" if value.name == name else value.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["other" if each == name else each for each in names]
    with pytest.raises(BundleError, match=f"the graph lacks {name}"):
        Session(model.SerializeToString())


def test_weights_in_another_file_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string(tiny_graph(0))
    onnx.save(model, "m.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    assert (tmp_path / "weights").is_file()
    with pytest.raises(BundleError, match="values in another file"):
        Session((tmp_path / "m.onnx").read_bytes())


def test_operators_of_ones_own_are_refused() -> None:
    model = onnx.load_from_string(tiny_graph(0))
    model.graph.node[0].domain = "own"
    with pytest.raises(BundleError, match="none of ONNX's own"):
        Session(model.SerializeToString())


def replace_logit(*nodes: onnx.NodeProto, shape: list[int]) -> Session:
    """The tiny graph whose `logit` is made by other nodes, of a `shape` and the `first` logit."""
    model = onnx.load_from_string(tiny_graph(0))
    for node in model.graph.node:
        node.output[:] = ["first" if name == "logit" else name for name in node.output]
    model.graph.initializer.append(
        onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [len(shape)], shape)
    )
    model.graph.node.extend(nodes)
    value = next(value for value in model.graph.output if value.name == "logit")
    value.type.tensor_type.ClearField("shape")
    return Session(model.SerializeToString(), threads=1)


@pytest.mark.parametrize("shape", [[2**22, 2**22], [50_000, 50_000]])
def test_a_graph_whose_temporaries_fill_the_memory_is_refused_before_it_takes_it(shape: list[int]) -> None:
    make = onnx.helper.make_node
    session = replace_logit(
        make("ConstantOfShape", ["shape"], ["huge"]),
        make("ReduceMax", ["huge"], ["top"], keepdims=0),
        make("Add", ["first", "top"], ["logit"]),
        shape=shape,
    )
    before = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError, match=r"fails on slices of 32 x 40: .* memory is short "):
        session.run(noise(1, 32, 40))
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    tiny().run(noise(1, 32, 40))  # others go on


def test_large_weights_that_are_made_when_a_graph_is_loaded_are_refused() -> None:
    """ONNX Runtime computes what depends on no input while it loads."""
    make = onnx.helper.make_node
    before = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError, match=r"fails on slices|cannot be loaded"):
        replace_logit(
            make("Expand", ["bias", "shape"], ["huge"]),
            make("Neg", ["huge"], ["less"]),
            make("ReduceMax", ["less"], ["top"], keepdims=0),
            make("Add", ["first", "top"], ["logit"]),
            shape=[50_000, 50_000],
        ).run(noise(1, 32, 40))
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_graph_that_takes_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on a slice, but values so large are not computed while a graph is loaded."""
    make = onnx.helper.make_node
    monkeypatch.setattr(covidct.inference.session, "SECONDS", 0.05)
    session = replace_logit(
        make("Expand", ["bias", "shape"], ["m0"]),
        *(make("MatMul", [f"m{at}", f"m{at}"], [f"m{at + 1}"]) for at in range(40)),
        make("ReduceMax", ["m40"], ["top"], keepdims=0),
        make("Add", ["first", "top"], ["logit"]),
        shape=[1200, 1200],
    )
    with pytest.raises(BundleError, match=r"took more than 0\.05 s; do not use the bundle"):
        session.run(noise(1, 32, 40))


def test_what_onnx_runtime_does_not_take_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Its fallback would, to standard output, where results go."""
    with pytest.raises(BundleError, match=r"cannot be loaded by ONNX Runtime"):
        Session(tiny_graph(0).replace(b"Resize", b"Res\xe4ze"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [[], [1, 1], [3]])
def test_outputs_of_other_shapes_are_refused(shape: list[int]) -> None:
    session = replace_logit(onnx.helper.make_node("ConstantOfShape", ["shape"], ["logit"]), shape=shape)
    with pytest.raises(BundleError, match=r"fails on slices|gives outputs of other shapes"):
        session.run(noise(1, 32, 40))


def test_cores() -> None:
    assert count_cores() >= 1


@pytest.mark.parametrize("threads", [1, 3])
def test_each_slice_is_a_run_of_its_own(threads: int) -> None:
    session = Session(tiny_graph(BIASES["float"]), threads=threads)
    slices = noise(7, 40, 30)
    together = session.run(slices)
    for at in range(len(slices)):
        alone = session.run(slices[at : at + 1])
        np.testing.assert_array_equal(together.logit[at], alone.logit[0])
        np.testing.assert_array_equal(together.evidence[at], alone.evidence[0])


def test_many_slices_of_any_sizes_come_in_order() -> None:
    slices = [noise(30 + at, 50 - at) for at in range(12)]
    for pixels, outputs in zip(slices, tiny().run_many(iter(slices)), strict=True):
        np.testing.assert_array_equal(outputs.logit, tiny().run(pixels[None]).logit)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_runs_at_a_time_than_threads_whoever_asks(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tiny_graph(BIASES["float"]), threads=threads)
    running: set[int] = set()
    most, plain = [], session._session

    class Watched:
        def run(self, *given: Any) -> Any:
            running.add(threading.get_ident())
            most.append(len(running))
            outputs = plain.run(*given)
            running.remove(threading.get_ident())
            return outputs

    monkeypatch.setattr(session, "_session", Watched())
    with ThreadPoolExecutor(5) as callers:
        list(callers.map(session.run, [noise(3, 200, 200) for _ in range(5)]))
    assert len(most) == 15
    assert max(most) <= threads


def test_the_runtime_calls_nobody_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """ONNX Runtime 1.32 by itself writes an id of the machine into the home folder, and calls its maker."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        (tmp_path / name).mkdir()
        environment[name] = str(tmp_path / name)
    code = "from covidct import Classifier; Classifier.load(threads=1)"
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
