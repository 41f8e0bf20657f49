"""The same series in each transfer syntax that can be written here, under the model that ships."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from covidct.images.phantoms.slice import Phantom
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from covidct.series.types import SeriesAnswer
from covidct.types import Decision, Kind, Status
from makers import phantom_hu, transcode
from stacks import save, stack

COUNT, SIZE = 5, 192
KINDS = (Phantom.NORMAL, Phantom.LESIONS)
# (Seed 5 draws few lesions.)
VOLUMES = {kind: [phantom_hu(kind, seed=seed, size=SIZE) for seed in range(COUNT)] for kind in KINDS}
FILES = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*"))


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load(threads=1)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def plain(shipped: Classifier, tmp_path_factory: pytest.TempPathFactory) -> dict[Phantom, SeriesAnswer]:
    folder = tmp_path_factory.mktemp("plain")
    return {kind: answer(shipped, save(folder / kind, stack(VOLUMES[kind]))) for kind in KINDS}


def answer(classifier: Classifier, folder: Path) -> SeriesAnswer:
    study = read_study([folder])
    assert (study.refused, study.loose) == ((), ())
    return classifier.predict_series(study.series[0])


def rewritten(syntax: str) -> Callable[[Path, list[NDArray[np.int16]]], None]:
    """By pydicom: uncompressed, and deflated."""

    def write(folder: Path, volume: list[NDArray[np.int16]]) -> None:
        datasets = stack(volume)
        for dataset in datasets:
            dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
            if syntax == uid.ExplicitVRBigEndian:
                dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
        save(folder, datasets)

    return write


def compressed(syntax: str) -> Callable[[Path, list[NDArray[np.int16]]], None]:
    """By gdcm."""

    def write(folder: Path, volume: list[NDArray[np.int16]]) -> None:
        raw = save(folder.with_name("raw"), stack(volume))
        folder.mkdir()
        for path in sorted(raw.iterdir()):
            transcode(path, folder / path.name, syntax)

    return write


def signed(folder: Path, volume: list[NDArray[np.int16]]) -> None:
    layout: dict[str, Any] = {
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleIntercept": 0,
    }
    datasets = stack(volume, **layout)
    for dataset, hu in zip(datasets, volume, strict=True):
        dataset.PixelData = hu.astype("<i2").tobytes()
    save(folder, datasets)


def padded(folder: Path, volume: list[NDArray[np.int16]]) -> None:
    """MONOCHROME1, and air without measurement."""
    datasets = stack(volume, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=4095)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(SIZE, SIZE).copy()
        stored[stored == 0] = 4095
        dataset.PixelData = stored.tobytes()
    save(folder, datasets)


def baseline(folder: Path, volume: list[NDArray[np.int16]]) -> None:
    """JPEG baseline: eight bits over the lung window."""
    datasets = stack(
        volume, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=1500 / 255, RescaleIntercept=-1350
    )
    for dataset, hu in zip(datasets, volume, strict=True):
        grey = np.clip((hu.astype(float) + 1350) * 255 / 1500, 0, 255).astype(np.uint8)
        buffer = BytesIO()
        Image.fromarray(grey).save(buffer, "JPEG", quality=95)
        dataset.PixelData = encapsulate([buffer.getvalue()])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    save(folder, datasets)


LOSSLESS = {
    "implicit": rewritten(uid.ImplicitVRLittleEndian),
    "big endian": rewritten(uid.ExplicitVRBigEndian),
    "deflated": rewritten(uid.DeflatedExplicitVRLittleEndian),
    "RLE": compressed("RLELossless"),
    "JPEG Lossless SV1": compressed("JPEGLosslessProcess14_1"),
    "JPEG Lossless": compressed("JPEGLosslessProcess14"),
    "JPEG-LS": compressed("JPEGLSLossless"),
    "JPEG 2000": compressed("JPEG2000Lossless"),
    "signed": signed,
    "MONOCHROME1, padded": padded,
}
LOSSY = {"JPEG 2000, lossy": compressed("JPEG2000"), "JPEG baseline": baseline}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_the_answer_does_not_depend_on_the_transfer_syntax(
    shipped: Classifier, plain: dict[Phantom, SeriesAnswer], tmp_path: Path, name: str, kind: Phantom
) -> None:
    (LOSSLESS | LOSSY)[name](tmp_path / "series", VOLUMES[kind])
    result, expected = answer(shipped, tmp_path / "series").result, plain[kind].result
    assert result.decision is expected.decision
    assert result.probability == pytest.approx(expected.probability, abs=0.01 if name in LOSSLESS else 0.1)


def test_lesions_make_the_difference(plain: dict[Phantom, SeriesAnswer]) -> None:
    assert plain[Phantom.LESIONS].result.decision is Decision.POSITIVE
    assert plain[Phantom.NORMAL].result.decision is not Decision.POSITIVE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_bundled_file_of_pydicom_gives_a_result_soon(tiny: Classifier, path: Path) -> None:
    with warnings.catch_warnings():
        # What pydicom has to say of these files is its own.
        warnings.simplefilter("ignore")
        begun = time.process_time()
        study = read_study([path])
        results = [answer.result for answer in tiny.predict_study(study)]
        # Of this process, not of the clock: other tests run beside it.
        assert time.process_time() - begun < 2
    assert results or study.skipped
    for result in results:
        assert result.status is Status.OK or result.reason is not None
        assert result.status is Status.OK or (result.message or "").startswith(result.path)
        assert result.kind in Kind
