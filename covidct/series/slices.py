"""What a caller hands over as a slice -> the slice.

Knows the kinds: a path, an array, an instance of a series, a slice itself. Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from covidct.errors import ReadError
from covidct.images.read import parse_hounsfield, parse_slice, read_array, read_slice
from covidct.series.types import Instance
from covidct.types import Slice

SliceInput = str | Path | NDArray[np.generic] | Instance | Slice


def read_given(given: SliceInput) -> Slice:
    """The slice. Raises ReadError for what cannot be read, TypeError for what is no slice at all."""
    match given:
        case Slice():
            return given
        case np.ndarray():
            return read_array(given)
        case Instance():
            return read_instance(given)
        case str() | Path():
            return read_slice(Path(given), name=str(given))
        case _:
            raise TypeError(
                f"a slice is a path, an array, an Instance or a Slice, not {type(given).__name__}"
            )


def read_instance(instance: Instance) -> Slice:
    """The slice of an instance, turned as its series is. Raises ReadError."""
    item = parse_slice(_read_bytes(instance), name=instance.path)
    source = replace(item.source, instance_uid=instance.sop_instance_uid or item.source.instance_uid)
    return replace(item, source=source, turn=instance.turn)


def read_hounsfield(instance: Instance) -> NDArray[np.float64] | None:
    """The Hounsfield units (H, W) of an instance as stored; None where there are grey levels only.

    Raises ReadError.
    """
    return parse_hounsfield(_read_bytes(instance), name=instance.path)


def name_given(given: SliceInput) -> str:
    """What errors and results call it."""
    match given:
        case np.ndarray():
            return "array"
        case Instance(path=path):
            return path
        case Slice(source=source):
            return source.path
        case _:
            return str(given)


def _read_bytes(instance: Instance) -> bytes:
    if instance.blob is None:
        raise ReadError(f"{instance.path}: nothing to read pixels from; make series with read_study")
    return instance.blob.read()
