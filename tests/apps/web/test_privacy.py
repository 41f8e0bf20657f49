from __future__ import annotations

import logging
from pathlib import Path

import pytest

from marked import find_secrets, make_inputs
from services.servers import client, make_server


def test_the_server(tiny_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Log and counters name nobody, whatever the files are called; answers name the files alone."""
    # As --debug sets it: libraries that list what they read (Pillow, of TIFF) are not asked to.
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="covidct")
    with client(make_server(tiny_bundle)) as caller:
        for name, data in make_inputs().items():
            answer = caller.post("/api/predict", files=[("files", (name, data))])
            assert find_secrets(answer.content, str(answer.headers)) == [], name
            caller.post("/api/predict", files=[("files", (f"Xqzname-XQZID4711-{name}", data))])
        assert find_secrets(caller.get("/metrics").content) == []
        assert b"covidct" in caller.get("/metrics").content
    texts = [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
    assert texts
    assert find_secrets(*texts) == []
