from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from covidct.inference.picture_window import check_window, is_wrong_window
from covidct.types import Reason, Status

LUNG = [(-600, 1500), (-600, 1600), (-500, 1500), (-700, 1000), (-550, 1400), (-450, 1400), (-400, 1500)]
OTHERS = [(40, 400), (40, 350), (50, 350), (60, 450), (400, 1800), (300, 1500), (500, 2500), (1023.5, 4095)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [Phantom.NORMAL, Phantom.LESIONS, Phantom.CONSOLIDATION])
def test_windows_are_told_apart(kind: Phantom, seed: int) -> None:
    hu = draw_phantom(kind, seed=seed, size=192)
    for centre, width in LUNG:
        assert not is_wrong_window(to_display(hu, centre=centre, width=width))
    for middle, span in OTHERS:
        assert is_wrong_window(to_display(hu, centre=middle, width=span))


def test_the_verdict_says_what_to_do() -> None:
    hu = draw_phantom(Phantom.NORMAL, seed=0, size=192)
    assert check_window(to_display(hu)).accepted
    verdict = check_window(to_display(hu, centre=40, width=400))
    assert verdict.reason is Reason.WRONG_WINDOW
    assert "give a lung window (centre -600, width 1500 HU), or the DICOM" in str(verdict.detail)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_grey_level_is_no_trouble(level: int) -> None:
    assert is_wrong_window(np.full((64, 64), level, np.uint8)) is (level == 0)


def test_a_picture_in_another_window_is_refused() -> None:
    classifier = Classifier.load(threads=1)
    hu = draw_phantom(Phantom.LESIONS, seed=0, size=256)
    assert classifier.predict(to_display(hu)).status is Status.OK
    for centre, width in ((40, 400), (1023.5, 4095)):
        result = classifier.predict(to_display(hu, centre=centre, width=width))
        assert result.status is Status.REFUSED
        assert result.reason in (Reason.WRONG_WINDOW, Reason.NOT_CHEST, Reason.NO_LUNG, Reason.NOT_CT)


def test_a_model_without_a_gate_does_not_ask(tiny_bundle: Path) -> None:
    hu = draw_phantom(Phantom.NORMAL, seed=0, size=128)
    result = Classifier.load(tiny_bundle, threads=1).predict(to_display(hu, centre=40, width=400))
    assert result.status is Status.OK
