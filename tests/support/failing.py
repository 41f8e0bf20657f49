"""A reader that fails as nobody foresaw."""

from __future__ import annotations

import pytest

from covidct.inference import answerer
from covidct.series.slices import SliceInput, name_given, read_given
from covidct.types import Slice

SECRET = "Doe^Jane"


def fail_at(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """Have the reading of what is named so at its end raise an error that quotes a header."""

    def read(given: SliceInput) -> Slice:
        if name_given(given).endswith(end):
            raise AttributeError(f"{SECRET!r} has no frames")
        return read_given(given)

    monkeypatch.setattr(answerer, "read_given", read)
