from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from covidct.errors import PretrainedError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.bundle import GRAPHS, default_path
from covidct.inference.session import Session
from covidct.training.fit_lung_finder import read_finder

GRAPH = (default_path() / GRAPHS["float"]).read_bytes()


def test_the_finder_of_the_model_that_ships_finds_what_the_model_finds() -> None:
    slices = to_display(draw_phantom(Phantom.LESIONS, seed=3, size=160))[None]
    with torch.inference_mode():
        found = torch.sigmoid(read_finder(GRAPH)(torch.from_numpy(slices)))
    lung = Session(GRAPH).run(slices).lung
    assert lung is not None
    np.testing.assert_allclose(found.mean((1, 2)).numpy(), lung, atol=1e-3)


def test_a_graph_without_a_finder_is_told(tiny_bundle: Path) -> None:
    with pytest.raises(PretrainedError, match="holds no lung finder"):
        read_finder((tiny_bundle / GRAPHS["float"]).read_bytes())


def test_every_weight_comes_from_the_graph() -> None:
    names = {one.name for one in onnx.load_from_string(GRAPH).graph.initializer}
    finder = read_finder(GRAPH)
    weights = [name for name, value in finder.named_parameters() if value.ndim == 4]
    assert weights
    assert {f"crop.finder.{name}" for name in weights} <= names
