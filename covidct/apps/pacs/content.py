"""A received instance -> digests of its patient and study data, and of its image.

The same UIDs are not the same content: archives correct the patient of a series and send it again under its
old UIDs. Pixels are compared as stored values, and text without regard to its character set: another transfer
syntax does not change an instance. Knows nothing of reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from covidct.apps.pacs.record import Content, to_stamp
from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.images.dicom import parse_stored
from covidct.images.elements import read_items, text
from covidct.images.limits import Allowance
from covidct.results.dicom.patient_study import SHARED
from covidct.series.instances import look_into
from covidct.series.sources import Candidate


def digest_instance(path: Path) -> Content:
    """The digests of an instance in a DICOM file. Raises OSError where it is not there."""
    stamp = to_stamp(path)  # before it is read: if another takes its place meanwhile, its stamp is none of it
    data = path.read_bytes()
    return Content(stamp, _digest(_to_patient_study(data)), _digest(_to_image(path.name, data)))


def _to_patient_study(data: bytes) -> Iterator[bytes]:
    """The modules of patient and study; an element that lacks is as good as an empty one."""
    asked = (*SHARED, "SpecificCharacterSet")
    allowance = Allowance("instance")
    stream = allowance.bind(BytesIO(data))
    header = dcmread(stream, stop_before_pixels=True, specific_tags=list(asked), force=True)
    for keyword in SHARED:
        if value := _to_text(header, keyword, allowance):
            yield f"{keyword}={value}".encode(errors="replace")


def _to_text(header: Dataset, keyword: str, allowance: Allowance) -> str:
    if not keyword.endswith("Sequence"):
        return text(header, keyword)
    items = read_items(header, keyword, allowance)
    return ";".join(value for item in items for value in _find_values(item, allowance))


def _find_values(item: Dataset, allowance: Allowance) -> Iterator[str]:
    """What is in an item, and in the sequences in it."""
    for tag in sorted(item.keys()):
        if (keyword := keyword_for_tag(tag)).endswith("Sequence"):
            for inner in read_items(item, keyword, allowance):
                yield from _find_values(inner, allowance)
        else:
            yield f"{tag}={item[tag].value}"


def _to_image(name: str, data: bytes) -> Iterator[bytes]:
    """Stored values, what makes Hounsfield units of them, and where each slice lies; all bytes where
    there are none to be had.
    """
    try:
        for found in look_into(Candidate(MemoryBlob(name, data), name)):
            blob = found.instance.blob
            header, words = parse_stored(blob.read() if blob else data, name=name)
            place = [round(value, 3) for value in (*found.position, *found.orientation)]
            yield f"{words.shape} {header.rescale} {header.padding} {header.spacing_mm} {place}".encode()
            yield words.astype("<i4").tobytes()
    except ReadError:
        yield data


def _digest(parts: Iterable[bytes]) -> str:
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:32]
