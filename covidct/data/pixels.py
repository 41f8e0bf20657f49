"""Rows of a manifest -> their pixels, under a progress bar.

Knows files and errors. Knows nothing of networks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from covidct.data.manifest import Row
from covidct.data.slice_store import Read
from covidct.errors import ManifestError, ReadError
from covidct.images.read import read_slice
from covidct.types import Pixels


def read_pixels(rows: Sequence[Row], *, label: str, read: Read = read_slice) -> Iterator[Pixels]:
    """Slices (H, W) uint8 as stored, one by one, read with `read`.

    Raises ManifestError naming the first that cannot be read.
    """
    with click.progressbar(rows, label=f"reading {label}".ljust(24), file=sys.stderr) as bar:
        for row in bar:
            try:
                pixels = read(row.path).pixels
            except ReadError as error:
                raise ManifestError(
                    f"{error}; repair the file, or remove its line from the manifest"
                ) from error
            yield pixels
