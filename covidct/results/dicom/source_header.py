"""The header of an object that a report or segmentation is made from, within what a file may take."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.hooks import raw_element_vr

from covidct.errors import ReadError
from covidct.images.blob import Blob
from covidct.images.elements import read_items
from covidct.images.limits import Allowance

DEPTH = 32  # of sequences in sequences, each of which is copied once more; objects have four or five


def read_source_header(blob: Blob, asked: Sequence[str] | None, *, name: str) -> Dataset:
    """The elements `asked` for by keyword, decoded, or with None all but the pixels.

    Raises ReadError where `name` has far too many or too deep ones, and what pydicom does for a damaged one.
    """
    with warnings.catch_warnings(), blob.open() as stream:
        # Odd values of others are passed on as they are; warnings would quote them.
        warnings.simplefilter("ignore")
        tags = None if asked is None else list(asked)
        allowance = Allowance(name)
        header = dcmread(allowance.bind(stream), stop_before_pixels=True, specific_tags=tags, force=True)
        _parse_items(header, allowance, name=name)
        header.decode()
    return header


def _parse_items(dataset: Dataset, allowance: Allowance, *, name: str, depth: int = 0) -> None:
    """Parse all sequences, and those in them, within the allowance: `decode` would without any bound."""
    if depth > DEPTH:
        raise ReadError(f"{name}: damaged DICOM (sequences nested more than {DEPTH} deep); export it again")
    for tag in sorted(dataset.keys()):  # (what a private element is, another says, which comes before it)
        element: Any = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and _is_sequence(element, dataset):
            dataset[tag] = element = DataElement(tag, "SQ", read_items(dataset, tag, allowance))
        if not isinstance(element, RawDataElement) and element.VR == "SQ":
            for item in element.value:
                _parse_items(item, allowance, name=name, depth=depth + 1)


def _is_sequence(element: RawDataElement, dataset: Dataset) -> bool:
    """Whether pydicom takes it for one."""
    found: dict[str, Any] = {}
    raw_element_vr(element, found, ds=dataset)
    return bool(found["VR"] == "SQ")
