"""What a file holds: its instances, described from headers; pixels stay unread.

Knows how DICOM objects and NIfTI volumes begin.
"""

from __future__ import annotations

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob
from covidct.series.sources import Source, peek
from covidct.series.values import Described, Instance

# The first element of a DICOM object without preamble: group 0008, or 0002 for file meta; both byte orders.
_BARE_DICOM = (b"\x08\x00", b"\x02\x00", b"\x00\x08")


_GZIP = b"\x1f\x8b"


_NIFTI = (b"n+1\0", b"n+2\0", b"ni1\0")


def look_into(source: Source) -> list[Described]:
    """The instances in a blob; one without any description for what is neither DICOM nor a volume."""
    blob = source.blob
    head = peek(blob)
    try:
        # Here, not above: who reads pictures shall not pay for importing pydicom or nibabel.
        if head[128:132] == b"DICM" or head.startswith(_BARE_DICOM):
            from covidct.series.headers import describe

            return describe(blob, given=source.given)
        if head[344:348] in _NIFTI or (head.startswith(_GZIP) and blob.name.lower().endswith(".gz")):
            from covidct.series.nifti import describe_volume

            return describe_volume(blob, given=source.given)
    except ReadError as error:
        return [_alone(FailedBlob(blob.name, str(error)), source)]
    except ModuleNotFoundError as error:
        message = (
            f"{blob.name}: a NIfTI volume ({error}); in the clone of covidct run: pip install '.[nifti]'"
        )
        return [_alone(FailedBlob(blob.name, message), source)]
    except Exception:  # broad: damage surfaces as nearly any exception; reading the slice says which
        return [_alone(blob, source)]
    return [_alone(blob, source)]


def _alone(blob: Blob, source: Source) -> Described:
    return Described(Instance(blob.name, None, None, None, blob=blob), given=source.given)
