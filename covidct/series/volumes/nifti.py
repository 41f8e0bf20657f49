"""The bytes of a NIfTI file -> a volume.

Knows NIfTI-1 and 2 in one file, through nibabel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from nibabel import Nifti1Image, Nifti2Image

from covidct.errors import ReadError
from covidct.images.library_errors import damage_as
from covidct.series.volumes.volume import Volume, check_length, to_volume


def parse_nifti(data: bytes, *, name: str) -> Volume:
    """Parse the bytes of a `.nii` file.

    Raises ReadError for what is damaged or cut off, and for a volume of other dimensions, without directions
    or oblique.
    """
    unread = "damaged, cut off, or no NIfTI volume in one file"
    with damage_as(lambda cause: ReadError(f"{name}: {unread} ({cause}); convert it again")):
        kind = Nifti2Image if data[4:8] == b"n+2\0" else Nifti1Image
        image: Any = kind.from_bytes(data)
        stored, start = image.get_data_dtype(), int(image.dataobj.offset)
        check_length(math.prod(image.shape) * stored.itemsize, len(data) - start, name=name)
        # A view: nibabel would hold the voxels a second time.
        values = np.frombuffer(data, stored, math.prod(image.shape), start).reshape(image.shape, order="F")
        scale = float(image.dataobj.slope), float(image.dataobj.inter)
        is_placed = int(image.header["sform_code"]) or int(image.header["qform_code"])
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    return to_volume(values, image.affine if is_placed else np.zeros((4, 4)), name=name, scale=scale)
