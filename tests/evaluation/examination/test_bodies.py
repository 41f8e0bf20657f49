"""The model that ships, on unusual bodies and scans: it answers or refuses, and does not turn round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.processing import apply_rescale

from covidct.data.manifest import read_manifest
from covidct.evaluation.examination.scans import change_body, scan_otherwise
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.inference.classifier import Classifier
from covidct.types import Decision, Pixels, Status

CLEAR, ILL = draw_slice(Phantom.NORMAL, seed=3), draw_slice(Phantom.LESIONS, seed=3)
UNUSUAL = [
    "noise of a low dose", "soft kernel", "sharp kernel", "metal", "contrast medium", "small body",
    "lying on the belly", "lying on the side", "one lung removed", "cropped to one lung",
    "fluid in the chest", "emphysema",
]  # fmt: skip


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def show(name: str, kind: Phantom) -> Pixels:
    drawn = CLEAR if kind is Phantom.NORMAL else ILL
    hu = drawn.hu.astype(np.float32)
    return (dict(scan_otherwise(hu)) | dict(change_body(hu, drawn.lung_mask.astype(bool))))[name]


def test_every_kind_is_tried() -> None:
    hu = CLEAR.hu.astype(np.float32)
    kinds = dict(scan_otherwise(hu)) | dict(change_body(hu, CLEAR.lung_mask.astype(bool)))
    assert list(kinds) == UNUSUAL


@pytest.mark.parametrize("name", UNUSUAL)
def test_clear_lungs_are_not_called_positive(name: str, classifier: Classifier) -> None:
    result = classifier.predict(show(name, Phantom.NORMAL))
    assert result.decision is not Decision.POSITIVE
    assert (result.status is Status.REFUSED) == (result.decision is None)


@pytest.mark.parametrize("name", UNUSUAL)
def test_lesions_are_not_called_negative(name: str, classifier: Classifier) -> None:
    result = classifier.predict(show(name, Phantom.LESIONS))
    assert result.decision is not Decision.NEGATIVE
    assert (result.status is Status.REFUSED) == (result.decision is None)


def test_tumours_prone_lateral_and_with_effusion_get_an_answer_or_a_reason(
    shared_data: Path, classifier: Classifier
) -> None:
    rows = [row for row in read_manifest(shared_data / "manifest.csv").rows if row.source == "tcga-luad"]
    results = [classifier.predict(row.path) for row in rows if row.label == "non-covid"]
    assert len(results) > 20
    refused = [result.reason for result in results if result.status is Status.REFUSED]
    assert None not in refused
    assert len(refused) <= len(results) // 10


def test_thick_slices_are_not_turned_round(shared_data: Path, classifier: Classifier) -> None:
    folder = shared_data / "dicom" / "covid-ct-md" / "P001"
    pair = [dcmread(path) for path in sorted(folder.glob("*.dcm"))[24:26]]
    stack = [apply_rescale(one.pixel_array, one) for one in pair]
    thin, thick = (classifier.predict(np.asarray(hu, np.int16)) for hu in (stack[0], np.mean(stack, axis=0)))
    assert {thin.decision, thick.decision} <= {Decision.POSITIVE, Decision.INDETERMINATE}
