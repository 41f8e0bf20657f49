"""What libraries throw at damaged bytes -> one kind of error that names the file.

The one place that catches everything while files are read. Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from covidct.errors import CovidctError, ReadError

T = TypeVar("T")


@contextmanager
def damage_as(to_error: Callable[[str], CovidctError]) -> Iterator[None]:
    """Turn whatever a library throws into `to_error(cause)`; errors of covidct pass.

    Broad on purpose: a changed byte in a file surfaces as nearly any exception (KeyError, struct.error,
    RecursionError, MemoryError, a warning where warnings are errors ...), and none of them is the caller's.
    """
    try:
        yield
    except CovidctError:
        raise
    except Exception as error:  # broad: see above
        raise to_error(str(error).strip().partition("\n")[0] or type(error).__name__) from error


def damage_is_an_error(name: str, *, what: str = "DICOM") -> AbstractContextManager[None]:
    """Turn whatever pydicom or gdcm throw into a ReadError that names the file."""
    return damage_as(
        lambda cause: ReadError(f"{name}: damaged {what} ({cause}); copy it again, or export it again")
    )


def read_or_none(read: Callable[[], T]) -> T | None:
    """What `read` gives, or None where it fails, for whatever reason: for what decides nothing."""
    try:
        with damage_as(ReadError):
            return read()
    except ReadError:
        return None
