"""The probes on phantoms: planted shortcuts are found, lesions are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from audits import make_sample, texts
from covidct.audit.checks.shortcuts import check_shortcuts
from covidct.audit.probes.features import (
    BLACKED_OUT,
    BORDER,
    HISTOGRAM,
    MARKS,
    OUTSIDE,
    THUMBNAIL,
    measure_features,
)
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Level
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Estimate, Pixels


@lru_cache(maxsize=512)
def draw(kind: Phantom, seed: int) -> Pixels:
    return to_display(draw_phantom(kind, seed=seed, size=64))


def cohort(
    patients: int, *, ill: Phantom = Phantom.LESIONS, spoil: Callable[[Pixels, int], None] | None = None
) -> list[Sample]:
    """As many patients of each class, in two sources; `spoil(pixels, label)` changes the slice."""
    samples = []
    for seed in range(2 * patients):
        label = seed % 2
        pixels = draw(ill if label else Phantom.NORMAL, seed).copy()
        if spoil:
            spoil(pixels, label)
        sample = make_sample(f"{seed}.png", label, patient_id=f"{seed}", source=("a", "b")[seed // 2 % 2])
        samples.append(replace(sample, features=measure_features(pixels, colour=0.0)))
    return samples


def check(samples: list[Sample], model: Estimate | None = None) -> Check:
    return check_shortcuts(samples, [sample.row.patient_id for sample in samples], model_auc=model)


def test_five_slices_can_tell_nothing_and_that_is_said() -> None:
    found = check(cohort(3)[:5])
    assert found.level is Level.WARN
    assert "2 patients with COVID-19 and 3 without are too few to tell anything" in texts(found, Level.WARN)
    assert not [finding for finding in found.findings if finding.level is Level.PASS]


def auc(found: Check, name: str) -> float:
    (value,) = [figure.estimate.value for figure in found.figures if figure.name == name]
    assert value is not None
    return value


@pytest.mark.parametrize("ill", [Phantom.LESIONS, Phantom.CONSOLIDATION])
def test_lesions_are_found_by_a_glance_and_by_no_shortcut(ill: Phantom) -> None:
    found = check(cohort(60, ill=ill))
    assert found.level is Level.PASS
    assert found.advice == ""
    assert max(auc(found, name) for name in (BORDER, BLACKED_OUT, MARKS)) < 0.6
    assert auc(found, HISTOGRAM) > 0.9
    assert auc(found, THUMBNAIL) > 0.7
    assert found.headline.startswith("The shortcut floor is ")
    assert HISTOGRAM in found.headline


def frame(pixels: Pixels, label: int) -> None:
    pixels[:2] = pixels[-2:] = 150 + 60 * label


def corner(pixels: Pixels, label: int) -> None:
    """Outside border and body: a blot for COVID-19."""
    if label:
        pixels[5:8, 5:9] = 255


@pytest.mark.parametrize(("spoil", "name", "words"), [(frame, BORDER, "border"), (corner, MARKS, "marks")])
def test_a_planted_shortcut_fails(spoil: Callable[[Pixels, int], None], name: str, words: str) -> None:
    found = check(cohort(24, spoil=spoil))
    assert found.level is Level.FAIL
    assert auc(found, name) > 0.95
    assert words in texts(found, Level.FAIL)
    assert found.advice


def test_curves_and_a_table_by_source() -> None:
    found = check(cohort(20))
    assert [curve.name for curve in found.curves] == [
        BORDER,
        BLACKED_OUT,
        MARKS,
        OUTSIDE,
        THUMBNAIL,
        HISTOGRAM,
    ]
    probes, sources = found.tables
    assert len(probes.rows) == 6
    assert [row[0] for row in sources.rows] == ["a", "b"]
    assert all(len(row) == len(sources.head) for row in sources.rows)


def test_one_source_has_no_table_by_source() -> None:
    samples = [replace(one, row=replace(one.row, source="a")) for one in cohort(10)]
    assert len(check(samples).tables) == 1


def test_a_model_below_the_floor_is_warned_of() -> None:
    samples = cohort(24)
    poor = check(samples, Estimate(0.8, 0.7, 0.9, 48))
    assert poor.level is Level.WARN
    assert "0.80 (0.70–0.90)" in texts(poor, Level.WARN)
    assert poor.tables[0].head[-1] == "Model's AUC"
    assert {row[-1] for row in poor.tables[0].rows} == {"0.80 (0.70–0.90)"}


def test_a_model_above_the_floor_passes() -> None:
    rng = np.random.default_rng(0)
    noise = [
        replace(one, features=measure_features(rng.integers(0, 256, (64, 64), np.uint8), colour=0.0))
        for one in cohort(24)
    ]
    good = check(noise, Estimate(0.95, 0.9, 0.99, 48))
    assert good.level is Level.PASS
    assert "beats" in texts(good, Level.PASS)
    assert check(noise, Estimate(None, None, None, 0, "undefined")).level is Level.PASS


@pytest.mark.parametrize("samples", [[], cohort(1), [one for one in cohort(4) if one.label]])
def test_too_few_patients_are_said_so(samples: list[Sample]) -> None:
    found = check(samples, Estimate(0.9, 0.8, 0.95, 48))
    assert found.level is Level.WARN
    assert found.headline.startswith("Not measured")
