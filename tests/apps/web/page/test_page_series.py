"""The page's series, in a browser, beside the Python that they must equal."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from covidct.apps.web.static_app import PAGE
from covidct.images.read import parse_slice
from covidct.series.study import read_study
from makers import ct_dataset, dicom_bytes, phantom_hu
from services.browsers import serving, visiting
from stacks import SERIES, STUDY, stack, volume

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SLICES = volume(4)
READ = """async (given) => {
  const { readStudy } = await import("./engine/local/series/series.js");
  const bytes = (one) => Uint8Array.from(atob(one), (letter) => letter.charCodeAt());
  const { listItems } = await import("./engine/local/files.js");
  const toFile = (one, at) => ({ file: new Blob([bytes(one)]), path: `${at}.dcm`, given: "s" });
  const { items } = await listItems(given.map(toFile));
  const study = await readStudy(items, () => {}, { isCancelled: false });
  const paths = (some) => some.map(({ path }) => path);
  return {
    series: study.series.map((one) => [paths(one.stack), one.notes.map((note) => [note.code, note.values])]),
    refused: study.refused.map(({ reason, notes }) => [reason, notes.map(({ code }) => code)]),
    loose: paths(study.loose),
  };
}"""

ITEMS_COUNTED = """const whole = [];
  for (const item of items) {
    const { read } = item;
    item.read = () => (whole.push(item.path), read());
  }
  """


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("series")
    for name in ("rules", "engine", "vendored"):
        (folder / name).symlink_to(PAGE / name)
    (folder / "index.html").write_text(
        '<!doctype html><html data-ready="true" lang="en"><title>s</title><link rel="icon" href="data:,">'
    )
    with serving(folder) as address, visiting(browser, address) as page:
        yield page


def alone(**tags: Any) -> Dataset:
    known = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": "1.2.9"}
    return ct_dataset(SLICES[0], **known | {"ImagePositionPatient": [-100, -100, -291]} | tags)


def twice(shift: float, *, numbers: int = 0, **values: tuple[Any, Any]) -> list[Dataset]:
    """Two passes of one series, told apart by elements of the values given."""
    found = []
    for which in range(2):
        tags = {keyword: pair[which] for keyword, pair in values.items()}
        for at, one in enumerate(stack(SLICES, origin=(-100, -100, which * shift), **tags)):
            one.SOPInstanceUID, one.InstanceNumber = f"1.2.{which}.{at}", at + which * numbers
            found.append(one)
    return found


def each(**values: Any) -> list[Dataset]:
    datasets = stack(SLICES)
    for at, one in enumerate(datasets):
        for keyword, value in values.items():
            setattr(one, keyword, value(at))
    return datasets


def changed(datasets: list[Dataset], keyword: str, value: str) -> list[Dataset]:
    for one in datasets:
        one.add_new(keyword, "LO", value.split("\\"))
    return datasets


STUDIES: dict[str, list[Dataset]] = {
    "one series": stack(SLICES),
    "two patients": twice(2.5, PatientID=("A", "B")),
    "two studies": twice(2.5, StudyInstanceUID=("1.3", "1.4")),
    "kernels": twice(0, ConvolutionKernel=("BONE", "LUNG")),
    "acquisitions": twice(1.7, AcquisitionNumber=(2, 1)),
    "frames of reference": twice(40, FrameOfReferenceUID=("1.5", "1.6")),
    "image types": twice(0, ImageType=(["ORIGINAL", "PRIMARY"], ["DERIVED", "PRIMARY"])),
    "contrast": twice(0, ContrastBolusAgent=("none", "Iohexol")),
    "numbers": twice(0, numbers=10),
    "nothing tells": twice(0),
    "a UID each": each(SeriesInstanceUID=lambda at: f"1.2.{at}"),
    "a UID and study each": each(
        SeriesInstanceUID=lambda at: f"1.2.{at}",
        StudyInstanceUID=lambda at: f"1.3.{at}",
        PatientID=lambda _: "A",
    ),
    "several patients": each(SeriesInstanceUID=lambda at: f"1.2.{at}", PatientID=lambda at: f"P{at}"),
    "one SOPInstanceUID": each(SOPInstanceUID=lambda _: "1.2.3"),
    "a plan": [*stack(SLICES), alone(Modality="RTPLAN", SOPClassUID=uid.RTPlanStorage)],
    "a screen": [*stack(SLICES), alone(SOPClassUID=uid.SecondaryCaptureImageStorage)],
    "a scout": [*stack(SLICES), alone(ImageType=["ORIGINAL", "PRIMARY", "CT_SOM5 TOP"])],
    "a dose report": [*stack(SLICES), alone(ImageType=["DERIVED", "SECONDARY", "DOSE_INFO"])],
    "no place": [*stack(SLICES), alone(ImagePositionPatient=None)],
    "coronal": [alone(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), *stack(SLICES)],
    "another size": [*stack(SLICES), alone(PixelSpacing=[0.5, 0.5])],
    "far away": [*stack(SLICES), alone(ImagePositionPatient=[-100, -100, 900])],
    "a seventh digit": each(PixelSpacing=lambda at: [f"{0.625 + at * 1e-7:.7f}"] * 2),
    "decimal commas": changed(stack(SLICES), "PixelSpacing", "0,7\\0,8"),
    "MIP": stack(SLICES, ImageType=["DERIVED", "PRIMARY", "AXIAL", "CT_SOM5 MIP"]),
    "VOLUME": stack(SLICES, ImageType=["ORIGINAL", "PRIMARY", "VOLUME"]),
    "MIP by description": stack(SLICES, SeriesDescription="Thorax MIP 3.0"),
    "other words": [
        *stack(
            SLICES,
            series="1.7",
            SliceThickness=1.0,
            SeriesDescription="CRÁNEO",
            SpecificCharacterSet="ISO_IR 100",
        ),
        *stack(SLICES, series="1.8", SeriesDescription="TÓRAX", SpecificCharacterSet="ISO_IR 100"),
    ],
    "kanji": [
        *stack(
            SLICES,
            series="1.7",
            SliceThickness=1.0,
            SeriesDescription="頭部",
            SpecificCharacterSet="ISO_IR 192",
        ),
        *stack(SLICES, series="1.8", SeriesDescription="胸部", SpecificCharacterSet=["", "ISO 2022 IR 87"]),
    ],
}


@pytest.mark.parametrize("name", list(STUDIES))
def test_series_are_those_of_python(page: Page, name: str) -> None:
    files = [dicom_bytes(one) for one in STUDIES[name]]
    found = page.evaluate(READ, [base64.b64encode(data).decode() for data in files])
    study = read_study([(f"{at}.dcm", data) for at, data in enumerate(files)])
    assert found["loose"] == [item.path for item in study.loose]
    assert found["refused"] == [
        [one.reason, [note.code for note in one.series.notes]] for one in study.refused
    ]
    expected = [
        [[item.path for item in one.instances], [[note.code, dict(note.values)] for note in one.notes]]
        for one in study.series
    ]
    assert [paths for paths, _ in found["series"]] == [paths for paths, _ in expected]
    assert [notes for _, notes in found["series"]] == [notes for _, notes in expected]


def test_headers_are_read_from_the_first_bytes_where_these_hold_them(page: Page) -> None:
    """A header far longer than that, and one in gzip, take the whole file, and give the same series."""
    datasets = stack(SLICES)
    datasets[0].add_new(0x00091001, "OB", bytes(20_000))
    datasets[1].add_new(0x00091001, "OB", bytes(70_000))
    first, long, third, packed = [dicom_bytes(one) for one in datasets]
    body = READ.replace("const study", ITEMS_COUNTED + "const study").replace("return {", "return { whole,")
    given = (first, long, third, gzip.compress(packed), b"GIF89a no slice")
    found = page.evaluate(body, [base64.b64encode(data).decode() for data in given])
    assert sorted(found["whole"]) == ["1.dcm", "3.dcm"]
    assert [paths for paths, _ in found["series"]] == [["0.dcm", "1.dcm", "2.dcm", "3.dcm"]]
    assert found["loose"] == ["4.dcm"]


def test_objects_are_read_as_in_python(page: Page) -> None:
    hu = phantom_hu(size=64)
    plain = dicom_bytes(ct_dataset(hu))
    bare = plain[144 + int.from_bytes(plain[140:144], "little") :]
    comma = changed([ct_dataset(hu)], "RescaleIntercept", "-1024,0")[0]
    prone = ct_dataset(hu, ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])
    body = """async (given) => {
      const { listItems } = await import("./engine/local/files.js");
      const { readSlice } = await import("./engine/local/images/read.js");
      const bytes = Uint8Array.from(atob(given), (letter) => letter.charCodeAt());
      const { items } = await listItems([{ file: new Blob([bytes]), path: "s/IM1", isFromFolder: true }]);
      const slice = await readSlice(await items[0].read());
      return [Array.from(slice.pixels), slice.turn.flipRows];
    }"""
    for data in (plain, bare, dicom_bytes(comma), dicom_bytes(prone)):
        pixels, is_flipped = page.evaluate(body, base64.b64encode(data).decode())
        expected = parse_slice(data, name="x")
        assert np.array_equal(np.reshape(pixels, hu.shape), expected.pixels)
        assert is_flipped is expected.turn.flip_rows
    packed = base64.b64encode(gzip.compress(plain)).decode()
    pixels, _ = page.evaluate(body.replace("true", "false"), packed)
    assert np.array_equal(np.reshape(pixels, hu.shape), parse_slice(plain, name="x").pixels)
