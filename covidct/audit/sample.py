"""The rows of a manifest, each read once: what the file is, what the checks need of its pixels, or why not.

Knows files and rows. A thumbnail and a few vectors are kept, not the pixels: a hundred thousand slices
take about a gigabyte.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import click

from covidct.audit.file_facts import Facts, identify, parse_facts
from covidct.audit.lung_segmentation import shrink
from covidct.audit.probes.features import Features, measure_features
from covidct.audit.threads import open_threads
from covidct.data.manifest import Row
from covidct.data.slice_store import SliceStore
from covidct.errors import ReadError
from covidct.images.files import read_bytes
from covidct.images.read import parse_slice
from covidct.types import Pixels, Slice

THUMBNAIL = 96


class Parse(Protocol):
    """The bytes of a file -> its slice."""

    def __call__(self, data: bytes, *, name: str) -> Slice:
        """The slice; raises ReadError."""


@dataclass(frozen=True)
class Sample:
    """One readable row, with the ids of its DICOM file where the manifest has none.

    `label` is 1 for COVID-19; `digest` the SHA-256 of the grey levels and their shape; `thumbnail` (96, 96)
    uint8, the slice stretched to a square. `name` is the path as the manifest has it.
    """

    row: Row
    name: str
    label: int
    facts: Facts
    digest: str
    thumbnail: Pixels = field(compare=False, repr=False)
    features: Features = field(compare=False, repr=False)


@dataclass(frozen=True)
class Unreadable:
    """A row whose file is missing or damaged, with the reason in a sentence."""

    row: Row
    name: str
    label: int
    reason: str


def read_samples(
    rows: Sequence[Row],
    names: Sequence[str],
    labels: Sequence[int],
    *,
    store: SliceStore | None = None,
) -> tuple[tuple[Sample, ...], tuple[Unreadable, ...]]:
    """Read every row, in order, under a progress bar; what cannot be read is reported, not raised.

    They are kept in `store`, where there is one, for whoever reads them next.
    """
    parse = parse_slice if store is None else store.parse
    with open_threads() as threads:
        results = threads.map(partial(_read, parse), rows, names, labels)
        with click.progressbar(results, len(rows), label="reading slices".ljust(24), file=sys.stderr) as bar:
            found = list(bar)
    good = tuple(one for one in found if isinstance(one, Sample))
    bad = tuple(one for one in found if isinstance(one, Unreadable))
    return good, bad


def _read(parse: Parse, row: Row, name: str, label: int) -> Sample | Unreadable:
    try:
        data = read_bytes(row.path, name=name)
        pixels = parse(data, name=name).pixels
    except ReadError as error:
        return Unreadable(row, name, label, str(error))
    facts = parse_facts(data, row.path)
    return Sample(
        row=identify(row, facts),
        name=name,
        label=label,
        facts=facts,
        digest=_digest(pixels),
        thumbnail=shrink(pixels, THUMBNAIL),
        features=measure_features(pixels, colour=facts.colour),
    )


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
