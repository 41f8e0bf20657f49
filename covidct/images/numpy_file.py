"""The bytes of a `.npy` file -> its array, which is a view of them.

Knows NumPy's format. Objects, which are pickles, are never read.
"""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from covidct.errors import ReadError
from covidct.images.library_errors import damage_as

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def parse_numpy(data: bytes, *, name: str) -> NDArray[Any]:
    """Parse an array of numbers, of any shape. Raises ReadError for objects, damage and what is cut off."""
    stream = BytesIO(data)
    with damage_as(lambda cause: ReadError(f"{name}: a damaged NumPy file ({cause}); save it again")):
        version = npy.read_magic(stream)
        shape, is_fortran, dtype = _READERS[version](stream)
    if dtype.kind not in "iuf":
        raise ReadError(f"{name}: a NumPy array of {dtype}; save Hounsfield units as int16 or float32")
    if any(length < 0 for length in shape):
        raise ReadError(f"{name}: a damaged NumPy file (the shape {shape}); save it again")
    needed, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if needed > there:
        raise ReadError(
            f"{name}: cut off: the header claims {needed:,} bytes, but there are {there:,}; save it again"
        )
    values = np.frombuffer(data, dtype, math.prod(shape), stream.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")
