from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundles import write_tiny_bundle
from services.browsers import launching, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Tests run side by side: more threads in each than its share of the cores, and torch waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """A test of `--debug` must not leave its level to others."""
    logger = logging.getLogger("covidct")
    level = logger.level
    yield
    logger.setLevel(level)


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, where there is one."""
    with launching() as running:
        yield running


@pytest.fixture(scope="session")
def web_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static folder that runs the model in the browser; not to be changed: copy it first."""
    from covidct.apps.web.static_app import VENDORED, write_web_app

    if not (VENDORED / "vendored.json").is_file():
        pytest.skip("the page's libraries are not here (run scripts/vendor)")
    folder = tmp_path_factory.mktemp("pages") / "app"
    write_web_app(folder)
    return folder


@pytest.fixture(scope="module")
def app_address(web_app: Path) -> Iterator[str]:
    """Where the static folder is served."""
    with serving(web_app) as address:
        yield address
