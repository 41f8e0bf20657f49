"""The header of an object that a report or segmentation is made from, within what a file may take."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from pydicom import Dataset, dcmread

from covidct.images.blob import Blob
from covidct.images.limits import Allowance


def read_source_header(blob: Blob, asked: Sequence[str] | None, *, name: str) -> Dataset:
    """The elements `asked` for by keyword, decoded, or with None all but the pixels.

    Raises ReadError where `name` has far too many, and what pydicom does for a damaged one.
    """
    with warnings.catch_warnings(), blob.open() as stream:
        # Odd values of others are passed on as they are; warnings would quote them.
        warnings.simplefilter("ignore")
        tags = None if asked is None else list(asked)
        bound = Allowance(name).bind(stream)
        header = dcmread(bound, stop_before_pixels=True, specific_tags=tags, force=True)
        header.decode()
    return header
