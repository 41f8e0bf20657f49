"""Elements of a DICOM dataset -> text and numbers, as far as they make sense.

Values are used as stored: pydicom's own conversion warns about each badly formed one, as names and comments
often are, and raises for invalid numbers. Knows how writers bend values: a decimal comma, which can mean
nothing else in a number (PS3.5 6.2, DS), padding, character sets that are not declared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from typing import Any

from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from covidct.errors import ReadError
from covidct.images.library_errors import read_or_none
from covidct.images.limits import Allowance

_BINARY = frozenset(("US", "SS", "US or SS", "UL", "SL", "FL", "FD"))
_PADDING = "\0 \t\r\n"


@cache
def _to_tag(keyword: str) -> BaseTag:
    """The tag of a keyword: pydicom takes longer to look for it than for the element."""
    return Tag(keyword)


def to_tags(keywords: Iterable[str]) -> list[BaseTag]:
    """What pydicom reads a few elements alone by; a list of keywords takes it longer."""
    return [_to_tag(keyword) for keyword in keywords]


def text(dataset: Dataset, keyword: str) -> str:
    """An element's text, several values with backslashes between; empty where it lacks."""
    value: Any = _stored(dataset, keyword)
    if isinstance(value, bytes):
        return _decode(value, dataset).strip(_PADDING)
    values = value if isinstance(value, list | tuple | MultiValue) else [] if value is None else [value]
    return "\\".join(str(one).strip(_PADDING) for one in values)


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """An element's values; [] where it lacks or is empty."""
    whole = text(dataset, keyword)
    return [part.strip(_PADDING) for part in whole.split("\\")] if whole else []


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """An element's values that are finite numbers; others are left out."""
    return list(_floats(texts(dataset, keyword)))


def exact_numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """The numbers of an element; none where there are not `count` of them."""
    found = tuple(numbers(dataset, keyword))
    return found if len(found) == count else ()


def number(dataset: Dataset, keyword: str, *, name: str) -> float | None:
    """An element's first value; None where it lacks. Raises ReadError where it is no number."""
    stored = texts(dataset, keyword)
    if not stored or not stored[0]:
        return None
    found = next(_floats(stored[:1]), None)
    if found is None:
        raise ReadError(
            f"{name}: {keyword} is {stored[0][:32]!r}, not a number; export it again, with a number"
        )
    return found


def whole(dataset: Dataset, keyword: str, default: int, *, name: str) -> int:
    """An element's first value as a whole number. Raises ReadError if it is not one."""
    found = number(dataset, keyword, name=name)
    return default if found is None else int(found)


def read_items(dataset: Dataset, keyword: str | BaseTag, allowance: Allowance) -> list[Dataset]:
    """The items of a sequence, none where it lacks; parsed within `allowance` where nobody has yet.

    (pydicom parses them when they are looked at, without any bound.) Raises ReadError, and what pydicom does.
    """
    element = dataset.get_item(keyword) if keyword in dataset else None
    value: Any = element.value if element is not None else None
    if isinstance(element, RawDataElement) and isinstance(value, bytes):
        is_implicit, is_little = element.is_implicit_VR, element.is_little_endian
        encoding = dataset.original_character_set or "iso8859"
        value = read_sequence(allowance.bind(BytesIO(value)), is_implicit, is_little, len(value), encoding)
    return [one for one in value or () if isinstance(one, Dataset)]


def _stored(dataset: Dataset, keyword: str) -> Any:
    """Text as bytes where nobody has read it yet, all else as pydicom reads it."""
    tag = _to_tag(keyword)
    element = dataset.get_item(tag) if tag in dataset else None
    value = element.value if element is not None else None
    if element is None or not isinstance(value, bytes):
        return value
    if (element.VR or dictionary_VR(tag)) not in _BINARY:
        return value
    return read_or_none(lambda: dataset[tag].value)  # pydicom fails at numbers of another length


def _decode(value: bytes, dataset: Dataset) -> str:
    """Text that is UTF-8, in the set that SpecificCharacterSet declares (PS3.5 6.1), or Latin-1."""
    if b"\x1b" in value:
        return decode_bytes(value, _encodings(dataset) or ["iso8859"], set())
    # UTF-8 first: many write it without a word, and nothing else looks so.
    return _decode_as(value, ["utf-8"]) or _decode_as(value, _encodings(dataset)) or value.decode("latin-1")


def _decode_as(value: bytes, encodings: Iterable[str]) -> str | None:
    """Text in the first encoding that can be; None where none can."""
    for encoding in encodings:
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            pass
    return None


def _encodings(dataset: Dataset) -> list[str]:
    stored = dataset.get_item("SpecificCharacterSet") if "SpecificCharacterSet" in dataset else None
    value = stored.value if stored is not None else None
    names = value.decode("ascii", "replace") if isinstance(value, bytes) else value or ""
    parts = names.split("\\") if isinstance(names, str) else list(names)
    return [
        python_encoding[part.strip(_PADDING)] for part in parts if part.strip(_PADDING) in python_encoding
    ]


def _floats(values: list[str]) -> Iterator[float]:
    for value in values:
        try:
            found = float(value.replace(",", "."))
        except ValueError:
            continue
        if math.isfinite(found):
            yield found
