"""What libraries throw at damaged bytes -> one kind of error that names the file.

Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from covidct.errors import ReadError


@contextmanager
def damage_is_an_error(name: str, *, what: str = "DICOM") -> Iterator[None]:
    """Turn whatever pydicom, gdcm or Pillow throw into ReadError; ReadErrors pass.

    Broad on purpose: a changed byte in a file surfaces as nearly any exception (KeyError, struct.error,
    RecursionError, MemoryError, a warning where warnings are errors ...), and none of them is the caller's.
    """
    try:
        yield
    except ReadError:
        raise
    except Exception as error:
        cause = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ReadError(f"{name}: damaged {what} ({cause}); copy it again, or export it again") from error
