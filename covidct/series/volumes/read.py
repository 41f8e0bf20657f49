"""A volume file -> its axial slices, described, from feet to head.

Knows which reader reads which form, and that data may lie in a file beside their header.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePath

from covidct.errors import ReadError
from covidct.images.blob import Blob, FileBlob
from covidct.images.file_type import FileType, sniff_head
from covidct.images.gunzip import gunzip
from covidct.images.numpy_file import parse_numpy
from covidct.series.types import Acquisition, Described, Instance
from covidct.series.volumes.metaimage import parse_metaimage
from covidct.series.volumes.nrrd import parse_nrrd
from covidct.series.volumes.volume import Volume, VolumeSlice, check_is_hounsfield
from covidct.types import Note

MAX_VOLUME = 1024**3  # bytes, unpacked
UNPLACED = Note(
    "unplaced",
    "A NumPy array does not say where its slices are: assumed upright, from feet to head, 1 mm apart.",
)


def describe_volume(blob: Blob, kind: FileType, *, given: str) -> list[Described]:
    """Describe the axial slices of a volume, within gzip or not, from feet to head.

    None for a NumPy array that is one slice. Raises ReadError for what is damaged, not three-dimensional,
    oblique, too large, or not in Hounsfield units.
    """
    volume = _parse(_unzip(blob), kind, blob)
    if volume is None:
        return []
    check_is_hounsfield(volume, name=blob.name)
    columns, rows, slices = volume.values.shape
    x, y, z = volume.zooms or (1.0, 1.0, 1.0)
    acquisition = Acquisition(
        modality="CT", pixel_spacing_mm=(y, x) if volume.zooms else None, rows=rows, columns=columns
    )
    return [
        Described(
            Instance(blob.name, None, None, None, frame=at + 1, blob=VolumeSlice(blob.name, volume, at)),
            given=given,
            acquisition=acquisition,
            position=(0.0, 0.0, z * at),
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            order=(0, at),
            notes=() if volume.zooms else (UNPLACED,),
        )
        for at in range(slices)
    ]


def _parse(data: bytes, kind: FileType, blob: Blob) -> Volume | None:
    read_beside: Callable[[str], bytes] = partial(_read_beside, blob)
    match kind:
        case FileType.METAIMAGE:
            return parse_metaimage(data, name=blob.name, read_beside=read_beside)
        case FileType.NRRD:
            return parse_nrrd(data, name=blob.name, read_beside=read_beside)
        case FileType.NUMPY:
            return _to_volume(data, blob.name)
        case _:
            from covidct.series.volumes.nifti import parse_nifti

            return parse_nifti(data, name=blob.name)


def _to_volume(data: bytes, name: str) -> Volume | None:
    """The volume of a NumPy array (slices, rows, columns); None for one slice."""
    values = parse_numpy(data, name=name)
    if values.ndim == 2:
        return None
    if values.ndim != 3 or 0 in values.shape or values.shape[0] == values.shape[1] != values.shape[2]:
        raise ReadError(f"{name}: shape {values.shape}; save the volume as (slices, rows, columns)")
    return Volume(values.transpose(2, 1, 0)[::-1, ::-1])


def _unzip(blob: Blob) -> bytes:
    """The volume, unpacked within bounds."""
    with blob.open() as stream:
        data = stream.read(MAX_VOLUME + 1)
    if sniff_head(data).is_packed:
        data = gunzip(data, name=blob.name, limit=MAX_VOLUME)
    if len(data) > MAX_VOLUME:
        raise ReadError(f"{blob.name}: a volume of more than {MAX_VOLUME:,} bytes; cut it to the chest")
    return data


def _read_beside(blob: Blob, wanted: str) -> bytes:
    """The file of that name in the folder of a header."""
    if not isinstance(blob, FileBlob) or PurePath(wanted).name != wanted or "%" in wanted or wanted == "LIST":
        raise ReadError(
            f"{blob.name}: its voxels are in another file ({wanted}); save header and voxels in one (.mha, "
            ".nrrd), or give the folder with both"
        )
    beside = FileBlob(blob.path.with_name(wanted), f"{blob.name} ({wanted})")
    if not beside.path.is_file():
        raise ReadError(f"{blob.name}: {wanted}, which holds its voxels, is not beside it; copy it there")
    return _unzip_plain(beside)


def _unzip_plain(blob: FileBlob) -> bytes:
    if blob.size > MAX_VOLUME:
        raise ReadError(f"{blob.name}: a volume of more than {MAX_VOLUME:,} bytes; cut it to the chest")
    return blob.path.read_bytes()
