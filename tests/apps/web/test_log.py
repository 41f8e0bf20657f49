from __future__ import annotations

import pytest

from covidct.apps.web.log import log_error, to_place

SECRET = "Mustermann^Erika"


def failing(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_place_holds_no_message(caplog: pytest.LogCaptureFixture) -> None:
    error = failing(SECRET)
    assert to_place(error).startswith("ValueError at failing:")
    log_error(error)
    assert "ValueError at failing:" in caplog.text
    assert SECRET not in caplog.text


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert to_place(KeyError(SECRET)) == "KeyError at an unknown place"
