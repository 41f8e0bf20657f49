from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data, where this machine has it: COVIDCT_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COVIDCT_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set COVIDCT_DATA)")
    return folder
