"""ImageType and SeriesDescription -> whether a DICOM image is a localiser, or calculated from many slices.

Knows the defined terms (PS3.3 C.8.2.1.1, C.8.16.1) and the words that vendors put in or beside them, such as
`CT_SOM5 MIP`. VOLUME is none of them: it is what the standard calls regularly sampled frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOCALISER = re.compile(r"\b(LOCALI[SZ]ER|SCOUT|TOPOGRAM|CT SOM\d+ TOP|SURVIEW|SCANOGRAM|SCANO)\b")
# What is no slice of what the scanner measured, in values of ImageType and in descriptions ...
_MADE = (
    r"MIPS?|MIN ?IPS?|MAX ?IPS?|(?:MEAN|AVG|AVERAGE) ?IPS?|VRTS?|SSD|VOLUME RENDER\w*|SURFACE RENDER\w*"
    r"|DOSE (?:INFO|REPORT)|PATIENT PROTOCOL|SCREEN ?SAVE"
)
_DESCRIBED = re.compile(rf"\b({_MADE})\b")
# ... and in values of ImageType alone, where the words have no other meaning.
_DERIVED = re.compile(
    rf"\b({_MADE}|3D|PROJECTION(?: IMAGE)?|SUBTRACTION|AVERAGE|MAXIMUM|MINIMUM|MEAN|STD DEVIATION"
    r"|VOLUME RENDERED|SURFACE RENDERED|CT SOM\d+ PROT)\b"
)


def find_localiser(image_type: Iterable[str]) -> str | None:
    """The value of ImageType that says localiser; None if none does."""
    return _find(_LOCALISER, image_type)


def find_derived(image_type: Iterable[str], description: str = "") -> str | None:
    """The element and its value that say projection or rendering; None where none does."""
    if value := _find(_DERIVED, image_type):
        return f"ImageType {value}"
    return f"SeriesDescription {description!r}" if _find(_DESCRIBED, [description]) else None


def _find(words: re.Pattern[str], values: Iterable[str]) -> str | None:
    return next((value for value in values if words.search(_plain(value))), None)


def _plain(value: str) -> str:
    """In capitals, with spaces for whatever else vendors part words with."""
    return re.sub(r"[^A-Z0-9]+", " ", value.upper()).strip()
