from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundles import write_tiny_bundle

# Tests run side by side: more threads in each than its share of the cores, and torch waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data, where this machine has it: COVIDCT_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COVIDCT_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set COVIDCT_DATA)")
    return folder


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """ImageNet weights, where there are any: COVIDCT_PRETRAINED, or shared/weights beside the repository."""
    name = "mobilenet_v2_imagenet_features.safetensors"
    beside = Path(__file__).resolve().parents[2] / "shared" / "weights" / name
    path = Path(os.environ.get("COVIDCT_PRETRAINED", beside))
    if not path.is_file():
        pytest.skip(f"no pretrained weights at {path} (set COVIDCT_PRETRAINED)")
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle made in code; not to be changed: copy it first."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
