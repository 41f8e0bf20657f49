"""What the server may log of an error: type and place, never its text, which may name a file or a patient.

Knows exceptions and one logger's name.
"""

from __future__ import annotations

import logging
import traceback

from covidct.errors import log_traceback

LOGGER = "covidct.serve"


def log_error(error: BaseException) -> None:
    """Log that something failed that should not have."""
    logging.getLogger(LOGGER).error("%s", to_place(error))
    log_traceback(error)


def to_place(error: BaseException) -> str:
    """Type and place of an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return f"{type(error).__name__} at {where or 'an unknown place'}"
