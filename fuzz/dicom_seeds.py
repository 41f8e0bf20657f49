"""Sound DICOM objects, small, drawn in code: raw, compressed and enhanced."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder  # type: ignore[attr-defined]  # (documented, but not in an __all__)

from covidct.images.hounsfield import to_display
from makers import ct_dataset, dicom_bytes, encode, phantom_hu, signed_dataset
from patients import patient_dataset
from stacks import enhanced, volume

# A ramp of 9 x 14 from -924 HU in lossy JPEG of 12 bits, as libjpeg-turbo writes it, which Pillow cannot.
RAMP_12_BIT = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoK"
    "BggLDAsKDAkKCgr/wQALDAAJAA4BAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADQz/xAAnEAAAAgYLAQAAAAAAAAAAAAAABQsMDSdFYSo4"
    "OkdIVmRzd4a0w//aAAgBAQAAPwCKDZxmjuqiLjctw7ZkHclSD0d1Q6jVxtwRPDtWXyAzczjPAj1v4h3JUg+x1GvARP6y8f/Z"
)
# A preamble (PS3.10, 7.1) in which a program for Windows, or for Linux, begins.
PROGRAM = (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff".ljust(60, b"\0") + b"\x80\0\0\0").ljust(128, b"\0")
ELF = b"\x7fELF\2\1\1\0".ljust(16, b"\0") + b"\2\0\x3e\0\1\0\0\0".ljust(112, b"\0")
SIZE, INSTANCE = 32, "1.2.3.4.5"
HU = phantom_hu(size=SIZE)


def make_raw() -> dict[str, bytes]:
    """Objects of one slice, as it is: in each syntax without a codec, with programs' preambles, nested."""
    plain = dicom_bytes(ct_dataset(HU, PixelSpacing=[1, 1], ImagePositionPatient=[0, 0, 5]))
    item = ct_dataset(HU, PixelData=None)
    files = {"slice.dcm": plain, "signed.dcm": dicom_bytes(signed_dataset(HU)), "bare.dcm": plain[132:]}
    files["nested.dcm"] = dicom_bytes(ct_dataset(HU, ReferencedImageSequence=[item]))
    files["program.dcm"], files["elf.dcm"] = PROGRAM + plain[128:], ELF + plain[128:]
    for syntax in (uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian):
        files[f"{syntax.keyword}.dcm"] = _to_syntax(ct_dataset(HU), syntax)
    return files


def _to_syntax(dataset: Dataset, syntax: uid.UID) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def make_compressed() -> dict[str, bytes]:
    """The slice in each compressed syntax that something here can write."""
    words = np.ascontiguousarray(HU + 1024, "<u2")
    frames = {uid.JPEG2000Lossless: encode(Image.fromarray(words), "JPEG2000", no_jp2=True)}
    options: dict[str, Any] = {"rows": SIZE, "columns": SIZE, "bits_allocated": 16, "bits_stored": 16}
    options |= {"samples_per_pixel": 1, "number_of_frames": 1, "pixel_representation": 0}
    options |= {"photometric_interpretation": "MONOCHROME2"}
    for syntax in (uid.RLELossless, uid.JPEGLSLossless):
        frames[syntax] = bytes(get_encoder(syntax).encode(words.tobytes(), **options))
    frames[uid.JPEGBaseline8Bit] = encode(Image.fromarray(to_display(HU)), "JPEG")
    frames[uid.JPEGExtended12Bit] = base64.b64decode(RAMP_12_BIT)
    return {f"{syntax.keyword}.dcm": _to_object(syntax, frame) for syntax, frame in frames.items()}


def _to_object(syntax: uid.UID, frame: bytes) -> bytes:
    dataset = dcmread(BytesIO(dicom_bytes(ct_dataset(HU, PixelSpacing=[1, 1]))))
    dataset.PixelRepresentation, dataset.RescaleIntercept = 0, -1024
    dataset.RescaleSlope = 1
    if syntax == uid.JPEGBaseline8Bit:
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.RescaleSlope = 7, 8
    elif syntax == uid.JPEGExtended12Bit:
        dataset.Rows, dataset.Columns = 9, 14
        dataset.BitsStored, dataset.HighBit = 12, 11
    else:
        dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    return dicom_bytes(dataset)


def make_enhanced() -> dict[str, bytes]:
    """Three slices in one object: raw, and in JPEG 2000 with a frame a fragment."""
    slices: list[NDArray[np.int16]] = volume(3, size=SIZE)
    packed = enhanced(slices)
    words = [np.ascontiguousarray(hu + 1024, "<u2") for hu in slices]
    frames = [encode(Image.fromarray(frame), "JPEG2000", no_jp2=True) for frame in reversed(words)]
    packed.BitsStored, packed.HighBit, packed.PixelData = 16, 15, encapsulate(frames)
    packed["PixelData"].VR = "OB"
    packed.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    return {"enhanced.dcm": dicom_bytes(enhanced(slices)), "packed.dcm": dicom_bytes(packed)}


def make_instances() -> dict[str, bytes]:
    """What a node is sent, by the SOPInstanceUID that it is announced with."""
    dataset = patient_dataset(1, SOPInstanceUID=INSTANCE)
    return {str(dataset.SOPInstanceUID): dicom_bytes(dataset)}
