"""What a file holds: its instances, described from headers; pixels stay unread.

Knows which reader reads which form.
"""

from __future__ import annotations

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob
from covidct.images.file_type import DICOM, VOLUMES
from covidct.images.gunzip import GzipBlob
from covidct.series.sources import Candidate, peek
from covidct.series.types import Described, Instance

_NEEDS_NIBABEL = "in the clone of covidct run: pip install '.[nifti]'"


def look_into(candidate: Candidate) -> list[Described]:
    """The instances in a blob; one without any description for what is neither DICOM nor a volume."""
    head = candidate.head or peek(candidate.blob)
    blob: Blob = GzipBlob(candidate.blob) if head.is_packed and head.type in DICOM else candidate.blob
    try:
        # Here, not above: who reads pictures shall not pay for importing pydicom or nibabel.
        if head.type in DICOM:
            from covidct.series.headers import describe

            return describe(blob, given=candidate.given)
        if head.type in VOLUMES:
            from covidct.series.volumes.read import describe_volume

            return describe_volume(blob, head.type, given=candidate.given) or [_alone(blob, candidate)]
    except ReadError as error:
        return [_alone(FailedBlob(blob.name, str(error)), candidate)]
    except ModuleNotFoundError as error:
        message = f"{blob.name}: a NIfTI volume ({error}); {_NEEDS_NIBABEL}"
        return [_alone(FailedBlob(blob.name, message), candidate)]
    except Exception:  # broad: damage surfaces as nearly any exception; reading the slice says which
        return [_alone(blob, candidate)]
    return [_alone(blob, candidate)]


def _alone(blob: Blob, candidate: Candidate) -> Described:
    return Described(Instance(blob.name, None, None, None, blob=blob), given=candidate.given)
