"""What else is read: manifests, recipes, lists, bundles, graphs, uploads, answers of DICOMweb servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from bundles import tiny_graph
from dicom_seeds import INSTANCE, make_instances
from places import ROOT
from stacks import contents

STUDY, SERIES = "1.2.3", "1.2.3.4"
BOUNDARY = "line"
MANIFEST = """path,label,source,patient_id,split,note,age,sex,finding
a/1.png,covid,hospital,P1,train,,61,F,moderate
a/2.png,non-covid,hospital,P2,tune,"seen, twice",48,M,normal
b/3.dcm,covid,elsewhere,,test,label conflict,,,
b/4.dcm,no-lesion,elsewhere,P4,external,,,,
"""
LIST = "a.png\nfolder/b.dcm\n\nZeichen ä.dcm\n"


def make_tables() -> dict[str, bytes]:
    """A manifest in UTF-8, and with a byte order mark and other line ends."""
    plain = MANIFEST.encode()
    return {"manifest.csv": plain, "windows.csv": b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")}


def make_recipes() -> dict[str, bytes]:
    """Those that come with covidct."""
    return {path.name: path.read_bytes() for path in sorted((ROOT / "covidct/data/recipes").glob("*.toml"))}


def make_lists() -> dict[str, bytes]:
    """Names, one a line."""
    return {"list.txt": LIST.encode(), "wide.txt": LIST.encode("utf-16")}


def make_bundle_texts(bundle: Path) -> dict[str, bytes]:
    """The text files of a bundle."""
    return {path.name: path.read_bytes() for path in sorted(bundle.iterdir()) if path.suffix != ".onnx"}


def make_graphs() -> dict[str, bytes]:
    """Tiny graphs with one question, and with two."""
    return {"one.onnx": tiny_graph(0.5), "two.onnx": tiny_graph(0.5, asks_twice=True)}


def make_media() -> dict[str, bytes]:
    """A DICOMDIR that lists files beside it."""
    return {"DICOMDIR": contents([["IM0"], ["IM1"], ["A", "IM2"]])}


def make_uploads() -> dict[str, bytes]:
    """Fields of a request's head, an empty line, and its body."""
    head = f"content-type: multipart/form-data; boundary={BOUNDARY}\r\naccept: application/json\r\n\r\n"
    parts = (
        ('name="files"; filename="a.png"', "bytes"),
        ("name=\"files\"; filename*=utf-8''%c3%a4.dcm", "more bytes"),
        ('name="prevalence"', "0.2"),
        ('name="operating_point"', ""),
    )
    lines = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\n\r\n{text}\r\n" for name, text in parts
    ]
    return {"upload.http": (head + "".join(lines) + f"--{BOUNDARY}--\r\n").encode()}


def make_answers() -> dict[str, bytes]:
    """What a DICOMweb server answers, by the last part of the address (PS3.18, annex F)."""
    study = {"0020000D": _value("UI", STUDY), "00201208": _value("IS", 2)}
    one = {"0020000D": _value("UI", STUDY), "0020000E": _value("UI", SERIES), "00080060": _value("CS", "CT")}
    instance = {**one, "00080018": _value("UI", INSTANCE), "00280010": _value("US", 32)}
    stored = Dataset()
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2", INSTANCE
    stored.ReferencedSOPSequence = [item]
    return {
        "studies": json.dumps([study]).encode(),
        "series": json.dumps([one]).encode(),
        "instances": json.dumps([instance]).encode(),
        INSTANCE: _to_multipart(make_instances()[INSTANCE]),
        "stored": stored.to_json().encode(),
    }


def _value(kind: str, value: Any) -> dict[str, Any]:
    return {"vr": kind, "Value": [value]}


def _to_multipart(data: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head + data + f"\r\n--{BOUNDARY}--\r\n".encode()
