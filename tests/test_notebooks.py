from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from covidct.training.networks.mobilenet import mobilenet_features
from places import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "notebooks"))
NAMES = [path.stem for path in SCRIPT["NOTEBOOKS"]]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A stand-in for the ImageNet weights, which no test downloads."""
    torch.manual_seed(0)
    state = {f"features.{name}": value for name, value in mobilenet_features().state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


# The warnings of Jupyter itself.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom(
    name: str, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVIDCT_PRETRAINED", str(weights))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    folder = tmp_path / "run"
    folder.mkdir()
    done = SCRIPT["run_notebook"](ROOT / "examples" / "notebooks" / f"{name}.ipynb", folder)
    assert all(
        cell.outputs for cell in done.cells[3:] if cell.cell_type == "code" and "print(" in cell.source
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_a_notebook_is_what_the_notebook_holds(name: str) -> None:
    notebook = SCRIPT["nbformat"].read(ROOT / "examples" / "notebooks" / f"{name}.ipynb", as_version=4)
    page = (ROOT / "docs" / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    assert page == SCRIPT["to_page"](notebook, name), "run scripts/notebooks"
    for picture, data in SCRIPT["find_pictures"](notebook, name):
        assert (ROOT / "docs" / "img" / "notebooks" / picture).read_bytes() == data, "run scripts/notebooks"


def test_notebooks_hold_the_steps_of_the_original_study() -> None:
    assert [name[0] for name in NAMES] == ["1", "2", "3", "4"]
