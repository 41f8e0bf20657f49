"""Sound files of every kind that a slice is read from, small, drawn in code: what mutations start from."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from io import BytesIO

import nibabel
import numpy as np
from PIL import Image

from covidct.images.hounsfield import to_display
from dicom_seeds import HU, make_compressed, make_enhanced, make_raw
from makers import encode, encode_photograph, phantom_hu

PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
# What an archive for somebody else's machine holds beside slices; each is passed over or refused.
LINKS = {"a/up": "../../../../etc/passwd", "a/root": "/etc/passwd", "a/self": "self"}


def make_seeds() -> dict[str, bytes]:
    """Name, with an ending -> bytes; each has a slice that can be read."""
    return (
        make_pictures() | make_raw() | make_compressed() | make_enhanced() | make_archives() | make_volumes()
    )


def make_pictures() -> dict[str, bytes]:
    """A slice as each kind of picture; a TIFF of 16 bits with EXIF, whose directories are several."""
    grey = Image.fromarray(to_display(HU))
    files = {f"slice.{kind.lower()}": encode(grey, kind) for kind in PICTURES}
    files["colour.png"] = encode(grey.convert("RGBA"))
    files["packed.tif"] = encode(grey, "TIFF", compression="tiff_lzw")
    files["progressive.jpg"] = encode(grey, "JPEG", progressive=True)
    files["photograph.jpg"] = encode_photograph(grey)
    files["photograph.tif"] = encode_photograph(grey, "TIFF")
    return files


def make_archives() -> dict[str, bytes]:
    """ZIP, tar and gzip; with links, and with names that climb out."""
    plain = make_raw()["slice.dcm"]
    files = {f"IM{at}": plain for at in range(2)} | {"a/b.png": encode(Image.fromarray(to_display(HU)))}
    tar = make_tar(files | {"../../climbs.dcm": plain, "/root.dcm": plain}, LINKS)
    linked = make_zip(files | {"../../climbs.dcm": plain}, LINKS)
    return {
        "series.zip": make_zip(files, {}),
        "links.zip": linked,
        "links.tar": tar,
        "series.tar.gz": gzip.compress(tar, mtime=0),
        "slice.dcm.gz": gzip.compress(plain, mtime=0),
    }


def make_zip(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """A ZIP archive; links as Info-ZIP keeps them."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        for name, target in links.items():
            link = zipfile.ZipInfo(name)
            link.create_system, link.external_attr = 3, 0o120777 << 16
            archive.writestr(link, target)
    return buffer.getvalue()


def make_tar(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """A tar archive with links, hard ones too, a device and a pipe."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
        for name, target in links.items():
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                link = tarfile.TarInfo(f"{name}{kind.decode()}.dcm")
                link.type, link.linkname = kind, target
                archive.addfile(link)
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE):
            special = tarfile.TarInfo(f"dev{kind.decode()}.dcm")
            special.type = kind
            archive.addfile(special)
    return buffer.getvalue()


def make_volumes() -> dict[str, bytes]:
    """Three slices in each kind of volume, within gzip too."""
    return make_nifti() | make_metaimage() | make_nrrd() | make_numpy()


def make_nifti() -> dict[str, bytes]:
    """NIfTI-1 and 2."""
    files: dict[str, bytes] = {}
    for kind in (nibabel.nifti1.Nifti1Image, nibabel.nifti2.Nifti2Image):
        image = kind(_draw_volume(), np.eye(4))  # type: ignore[no-untyped-call]
        files[f"volume{len(files) + 1}.nii"] = image.to_bytes()
    return files | {"volume.nii.gz": gzip.compress(files["volume1.nii"], mtime=0)}


def make_metaimage() -> dict[str, bytes]:
    """Header and voxels in one file, as ITK writes it."""
    values = _draw_volume()
    sizes = " ".join(map(str, values.shape))
    lines = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = {}\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        f"ElementSpacing = 0.7 0.8 5\nDimSize = {sizes}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    voxels = values.tobytes(order="F")
    packed = lines.format("True").encode() + zlib.compress(voxels)
    return {"volume.mha": lines.format("False").encode() + voxels, "packed.mha": packed}


def make_nrrd() -> dict[str, bytes]:
    """Header and voxels in one file, raw and within gzip."""
    values = _draw_volume()
    lines = (
        f"NRRD0004\ntype: short\ndimension: 3\nsizes: {' '.join(map(str, values.shape))}\n"
        "space: left-posterior-superior\nspace directions: (0.7,0,0) (0,0.8,0) (0,0,5)\nendian: little\n"
        "encoding: {}\nspace origin: (0,0,0)\n\n"
    )
    voxels = values.tobytes(order="F")
    packed = lines.format("gzip").encode() + gzip.compress(voxels, mtime=0)
    return {"volume.nrrd": lines.format("raw").encode() + voxels, "packed.nrrd": packed}


def make_numpy() -> dict[str, bytes]:
    """A volume, and one slice."""
    files = {}
    for name, values in (("volume.npy", _draw_volume().T), ("slice.npy", HU)):
        buffer = BytesIO()
        np.save(buffer, values)
        files[name] = buffer.getvalue()
    return files


def _draw_volume() -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """(x, y, z), not as long as it is wide."""
    return np.stack([phantom_hu(seed=seed, size=16).T for seed in range(3)], axis=2)
