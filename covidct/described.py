"""An instance of a series with what sorting and choosing it takes.

A value; `describing` makes it of DICOM, `nifti` of volumes. Knows nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass

from covidct.series import UNKNOWN, Acquisition, Instance


@dataclass(frozen=True)
class Described:
    """An instance with what sorting and choosing it takes.

    `position` and `orientation` are those of its plane, `given` is what the caller named: the folder, the
    archive or the file. `declared_spacing_mm` is SpacingBetweenSlices. `order` are AcquisitionNumber and
    InstanceNumber; `size` is in bytes, of the file it lies in.
    """

    instance: Instance
    given: str
    acquisition: Acquisition = UNKNOWN
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    image_type: tuple[str, ...] = ()
    declared_spacing_mm: float | None = None
    order: tuple[int, int] = (0, 0)
    size: int = 0
