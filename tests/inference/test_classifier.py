from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covidct
from bundles import BIASES, SHIFT, TEMPERATURE
from covidct.errors import BundleError, CovidctError, ReadError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.images.raster import parse_raster
from covidct.images.read import read_array
from covidct.inference.ahead import AHEAD
from covidct.inference.bundle import load_bundle
from covidct.inference.classifier import Classifier
from covidct.inference.decision import to_probability
from covidct.inference.overlay import to_overlay
from covidct.inference.reference import SIZE
from covidct.inference.session import Outputs
from covidct.series.slices import SliceInput
from covidct.series.study import read_study
from covidct.series.types import Series, SeriesAnswer
from covidct.types import (
    Decision,
    GateLimits,
    Kind,
    ModelUsed,
    OperatingPoint,
    Pixels,
    Reason,
    Result,
    Slice,
    Source,
    Status,
)
from failing import SECRET, fail_at
from figures.predictions import evidence_of, predicted
from makers import SERIES_UID, phantom_hu, write_dicom, write_png
from stacks import save, stack, volume

HU = phantom_hu()
SHOWN = to_display(HU)


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


def logit_of(result: Result) -> float:
    logit = predicted(result).logit
    assert logit is not None
    return logit


def grey(level: int, *, height: int = 72, width: int = 72) -> Pixels:
    """Around one grey level, in stripes so that it is not blank."""
    pixels = np.full((height, width), level - 4, np.uint8)
    pixels[:, ::2] += 8
    return pixels


def test_one_slice(classifier: Classifier, tmp_path: Path) -> None:
    path = write_png(tmp_path / "x.png", SHOWN)
    result = classifier.predict(path)
    assert result.path == str(path)
    assert (result.status, result.kind) == (Status.OK, Kind.SLICE)
    assert result.model == ModelUsed("tiny-1.2.3", "float")
    made = predicted(result)
    assert made.operating_point == classifier.operating_point
    assert made.logit is not None
    assert made.probability == to_probability(made.logit, temperature=TEMPERATURE, shift=SHIFT)
    assert evidence_of(result).mean() + BIASES["float"] == pytest.approx(made.logit, abs=1e-5)
    assert (result.source.series_uid, result.slice_index, result.heatmap) == (None,) * 3


@pytest.mark.parametrize(
    ("level", "decision", "reason", "plausible"),
    [
        (200, Decision.POSITIVE, None, ("covid",)),
        (60, Decision.NEGATIVE, None, ("non-covid",)),
        (124, Decision.INDETERMINATE, Reason.NEAR_THRESHOLD, ("covid", "non-covid")),
    ],
)
def test_decisions(
    classifier: Classifier,
    level: int,
    decision: Decision,
    reason: Reason | None,
    plausible: tuple[str, ...],
) -> None:
    result = classifier.predict(grey(level))
    assert (result.decision, result.reason) == (decision, reason)
    assert predicted(result).prediction_set == plausible
    if reason is None:
        assert result.message is None
    else:
        assert result.message is not None
        assert result.message.startswith(
            f"{result.path}: both covid and non-covid remain plausible: from 0.4"
        )


def test_whatever_form_a_slice_has(classifier: Classifier, tmp_path: Path) -> None:
    forms: list[SliceInput] = [
        SHOWN,
        HU,
        HU.astype(np.float32),
        np.asfortranarray(SHOWN),
        Slice(SHOWN, Source("mine")),
        write_png(tmp_path / "x.png", SHOWN),
        str(tmp_path / "x.png"),
        write_dicom(tmp_path / "x.dcm", HU),
    ]
    results = list(classifier.predict_many(forms))
    assert {result.status for result in results} == {Status.OK}
    logits = [logit_of(result) for result in results]
    np.testing.assert_allclose(logits, logits[0], atol=1e-5)
    given = ["array"] * 4 + ["mine", *(str(form) for form in forms[5:])]
    assert [result.path for result in results] == given
    assert [result.source.series_uid for result in results] == [None] * 7 + [SERIES_UID]


@pytest.mark.parametrize("form", ["./x.png", "sub/../x.png", "x.png", ".//x.png"])
def test_the_path_is_as_it_was_given(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    write_png(tmp_path / "x.png", SHOWN)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    result = classifier.predict(form)
    assert (result.path, result.status) == (form, Status.OK)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"some text", "neither DICOM nor"),
        (b"\x89PNG\r\n\x1a\n\0\0", "damaged or cut off"),
    ],
)
def test_errors_are_results(classifier: Classifier, tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    result = classifier.predict(path)
    assert (result.status, result.reason, result.path) == (Status.ERROR, Reason.UNREADABLE, str(path))
    assert result.message is not None
    assert result.message.startswith(f"{path}: ")
    assert says in result.message
    assert result.model == ModelUsed("tiny-1.2.3", "float")
    assert (result.prediction, result.decision, result.probability, result.heatmap) == (None,) * 4


@pytest.mark.parametrize("path", ["none.png", "", ".", "nul\0.png", "x" * 5000, "\udcff.png"])
def test_paths_without_a_slice(classifier: Classifier, path: str) -> None:
    result = classifier.predict(path)
    assert (result.status, result.path) == (Status.ERROR, path)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 64, 64), np.uint8), np.zeros((0, 5), np.uint8), np.zeros((64, 64), complex)]
)
def test_arrays_that_are_no_slice(classifier: Classifier, array: np.typing.NDArray[Any]) -> None:
    result = classifier.predict(array)
    assert (result.status, result.path) == (Status.ERROR, "array")


def test_refused_is_a_result(classifier: Classifier, tmp_path: Path) -> None:
    small = classifier.predict(write_png(tmp_path / "small.png", SHOWN[:20]))
    assert (small.status, small.reason, small.decision) == (Status.REFUSED, Reason.TOO_SMALL, None)
    assert small.message is not None
    assert small.message.startswith(f"{tmp_path / 'small.png'}: 64 x 20 pixels")
    blank = classifier.predict(np.zeros((64, 64), np.uint8))
    assert (blank.status, blank.reason, blank.probability) == (Status.REFUSED, Reason.BLANK, None)


def test_what_is_refused_keeps_its_series(classifier: Classifier, tmp_path: Path) -> None:
    result = classifier.predict(write_dicom(tmp_path / "x.dcm", HU[:20]))
    assert (result.status, result.source.series_uid) == (Status.REFUSED, SERIES_UID)


def test_order_is_kept_over_shapes_and_errors(classifier: Classifier) -> None:
    given: list[Any] = []
    for at in range(2 * AHEAD + 7):
        match at % 4:
            case 0:
                given.append(Slice(grey(40 + at), Source(str(at))))
            case 1:
                given.append(Slice(grey(40 + at, height=90, width=65), Source(str(at))))
            case 2:
                given.append(f"missing-{at}.png")
            case _:
                given.append(Slice(grey(40 + at, height=20), Source(str(at))))
    results = list(classifier.predict_many(given))
    assert [result.path for result in results] == [
        item if isinstance(item, str) else item.source.path for item in given
    ]
    wanted = [Status.OK, Status.OK, Status.ERROR, Status.REFUSED]
    assert [result.status for result in results] == [wanted[at % 4] for at in range(len(given))]
    one_by_one = [classifier.predict(item) for item in given]
    for together, alone in zip(results, one_by_one, strict=True):
        assert together.status is alone.status
        if together.prediction is not None:
            assert logit_of(together) == logit_of(alone), "a slice's answer does not depend on its neighbours"
            assert together.decision is alone.decision


def test_nothing_gives_nothing(classifier: Classifier) -> None:
    assert list(classifier.predict_many([])) == []


def test_is_lazy(classifier: Classifier) -> None:
    taken = []

    def forever() -> Iterator[Slice]:
        for number in count():
            taken.append(number)
            yield Slice(SHOWN, Source(str(number)))

    results = classifier.predict_many(forever())
    assert not taken
    assert [result.path for result in islice(results, 3)] == ["0", "1", "2"]
    assert len(taken) == AHEAD * classifier._session.threads + 3
    results.close()  # type: ignore[attr-defined]


def test_closed_early_nothing_works_on(classifier: Classifier, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    (series,) = read_study([save(tmp_path, stack(volume(6)))]).series
    begun: list[Iterator[Any]] = [
        classifier.predict_slices(series),
        classifier.predict_study(read_study([tmp_path])),
    ]
    for results in begun:
        next(results)
        assert set(threading.enumerate()) > before
        results.close()  # type: ignore[attr-defined]
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("given", [None, 5, b"x.png", [[1, 2], [3, 4]]])
def test_wrong_types(classifier: Classifier, given: Any) -> None:
    with pytest.raises(
        TypeError, match=f"a path, an array, an Instance or a Slice, not {type(given).__name__}"
    ):
        classifier.predict(given)


def test_an_error_of_the_caller_comes_through(classifier: Classifier) -> None:
    def broken() -> Iterator[Pixels]:
        yield SHOWN
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        list(classifier.predict_many(broken()))


def test_what_no_reader_foresees_is_an_error_of_that_file(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "bad.png")
    good, bad = (write_png(tmp_path / name, SHOWN) for name in ("good.png", "bad.png"))
    first, broken, last = classifier.predict_many([good, bad, good])
    assert (first.status, last.status) == (Status.OK, Status.OK)
    assert (broken.status, broken.reason, broken.path) == (Status.ERROR, Reason.UNREADABLE, str(bad))
    assert (broken.message or "").startswith(f"{bad}: cannot be read (AttributeError); it may be damaged")
    assert SECRET not in (broken.message or "")


def test_a_series_is_answered_without_the_slice_that_no_reader_foresees(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (series,) = read_study([save(tmp_path / "study", stack(volume(6, lesions=(2, 3))))]).series
    fail_at(monkeypatch, Path(series.instances[2].path).name)
    answer = classifier.predict_series(series)
    statuses = [Status.ERROR if at == 2 else Status.OK for at in range(6)]
    assert [result.status for result in answer.slices] == statuses
    assert answer.result.status is Status.OK
    assert answer.result.series is not None
    assert "slices_not_read" in {note.code for note in answer.result.series.notes}


def test_one_classifier_serves_many_threads(classifier: Classifier) -> None:
    levels = list(range(20, 240, 10))
    start = threading.Barrier(4)

    def work(_: int) -> list[float]:
        start.wait(timeout=30)
        return [logit_of(result) for result in classifier.predict_many(grey(level) for level in levels)]

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(work, range(4))
    assert None not in first
    for other in others:
        assert other == pytest.approx(first)


def test_no_threads_stay_behind(classifier: Classifier) -> None:
    before = threading.active_count()
    results = classifier.predict_many([SHOWN] * 3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_results_are_frozen(classifier: Classifier) -> None:
    result = classifier.predict(SHOWN)
    with pytest.raises(FrozenInstanceError):
        result.probability = 0.0  # type: ignore[misc]
    assert result == classifier.predict(SHOWN)


def test_heatmaps(classifier: Classifier, tmp_path: Path) -> None:
    given = [
        write_png(tmp_path / "a.png", SHOWN),
        write_png(tmp_path / "small.png", SHOWN[:20]),
        tmp_path / "missing.png",
        write_png(tmp_path / "b.png", SHOWN),
    ]
    folder = tmp_path / "maps"
    results = list(classifier.predict_many(given, heatmaps=folder))
    written = [Path(result.heatmap) for result in results if result.heatmap]
    assert [bool(result.heatmap) for result in results] == [True, False, False, True]
    assert sorted(written) == sorted(folder.iterdir())
    picture = to_overlay(SHOWN, evidence_of(results[0]))
    saved = parse_raster(written[0].read_bytes(), name="overlay")
    assert saved.shape == picture.shape[:2]


def test_precisions_are_two_graphs(tiny_bundle: Path) -> None:
    logits = {
        name: logit_of(Classifier.load(tiny_bundle, precision=name, threads=1).predict(SHOWN))
        for name in BIASES
    }
    assert logits["int8"] - logits["float"] == pytest.approx(0.05, abs=1e-5)


def test_operating_points_by_name(tiny_bundle: Path) -> None:
    assert Classifier.load(tiny_bundle).operating_point.name == "balanced"
    sensitive = Classifier.load(str(tiny_bundle), operating_point="sensitive")
    assert sensitive.operating_point.name == "sensitive"
    assert sensitive.predict(grey(80)).decision is Decision.POSITIVE
    with pytest.raises(BundleError, match="no operating point 'bold'; it has balanced, sensitive"):
        Classifier.load(tiny_bundle, operating_point="bold")


def test_a_prevalence_is_answered_for_beside(tiny_bundle: Path) -> None:
    plain = predicted(Classifier.load(tiny_bundle).predict(SHOWN))
    rare = predicted(Classifier.load(tiny_bundle, prevalence=0.05).predict(SHOWN))
    assert plain.at_prevalence is None
    assert rare.at_prevalence is not None
    assert (rare.decision, rare.probability) == (plain.decision, plain.probability)
    assert rare.at_prevalence.probability < rare.probability
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        Classifier.load(tiny_bundle, prevalence=1.0)


@pytest.mark.parametrize("precision", ["int8", "float"])
def test_the_shipped_model_answers_the_phantoms(precision: Any) -> None:
    classifier = Classifier.load(precision=precision)
    seeds = (1, 11, 13)
    given = [
        phantom_hu(kind, seed=seed, size=SIZE) for kind in (Phantom.LESIONS, Phantom.NORMAL) for seed in seeds
    ]
    results = list(classifier.predict_many(given))
    assert {result.status for result in results} == {Status.OK}
    assert {result.model.name for result in results} == {load_bundle().config.model}
    ill, well = results[:3], results[3:]
    assert min(map(_probability, ill)) > max(map(_probability, well))


def test_the_package_offers_it() -> None:
    offered = (Classifier, read_study, Series, SeriesAnswer, Result, Slice, Source, Decision, Reason, Status)
    for one in (*offered, CovidctError, ReadError, BundleError, OperatingPoint):
        assert getattr(covidct, one.__name__) is one
        assert one.__name__ in covidct.__all__
    assert all(hasattr(covidct, name) for name in covidct.__all__)
    with pytest.raises(AttributeError, match="no attribute 'classifier'"):
        covidct.classifier  # noqa: B018


def _probability(result: Result) -> float:
    assert result.probability is not None
    return result.probability


def test_an_array_is_copied(classifier: Classifier) -> None:
    """The next batch is read while the caller goes on: what it does to its array then must not matter."""
    pixels = SHOWN.copy()
    item = read_array(pixels)
    pixels[:] = 0
    np.testing.assert_array_equal(item.pixels, SHOWN)
    assert classifier.predict(item) == classifier.predict(SHOWN)


def test_one_path_is_no_list_of_slices(tiny_bundle: Path) -> None:
    with pytest.raises(TypeError, match="takes a list"):
        next(Classifier.load(tiny_bundle).predict_many("study"))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "MR"}, "not_ct"),
        ({"Modality": "CR"}, "radiograph"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "radiograph"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "not_axial"),
    ],
)
def test_what_a_header_says_plainly_is_refused(
    tiny_bundle: Path, tmp_path: Path, tags: dict[str, object], reason: str
) -> None:
    path = write_dicom(tmp_path / "1.dcm", phantom_hu(), **tags)
    result = Classifier.load(tiny_bundle).predict(path)
    assert (result.status, result.reason) == (Status.REFUSED, reason)
    assert str(path) in str(result.message)


def test_a_tag_saves_nothing_that_the_gate_refuses(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier.load(tiny_bundle)
    config = replace(classifier.bundle.config, gate=GateLimits(("chest", "not_chest"), 0.0, 0.1))
    gated = Classifier(
        replace(classifier.bundle, config=config),
        classifier._session,
        precision=classifier.model.precision,
        operating_point=classifier.operating_point,
    )
    path = write_dicom(tmp_path / "1.dcm", phantom_hu())
    assert gated.predict(path).status is Status.OK, "a graph without a gate refuses nothing"
    plain = classifier._session.run

    def run(slices: Pixels) -> Outputs:
        logits, lung = np.array([[0, 1]], np.float32), np.array([0.3], np.float32)
        return replace(plain(slices), gate=logits, lung=lung)

    monkeypatch.setattr(classifier._session, "run", run)
    result = gated.predict(path)
    assert (result.status, result.reason, result.probability) == (Status.REFUSED, "not_chest", None)
    assert result.source.series_uid is not None
    assert classifier.predict(path).status is Status.OK, "limits are the bundle's: without them all pass"


def test_the_same_model_at_another_operating_point(tiny_bundle: Path) -> None:
    first = Classifier.load(tiny_bundle, threads=1, prevalence=0.2)
    other = first.at("sensitive", prevalence=0.05)
    assert (first.operating_point.name, first.prevalence) == ("balanced", 0.2)
    assert (other.operating_point.name, other.prevalence) == ("sensitive", 0.05)
    assert (first.at().operating_point.name, first.at().prevalence) == ("balanced", None)
    assert other.predict(SHOWN).probability == first.predict(SHOWN).probability
    with pytest.raises(BundleError, match="best"):
        first.at("best")
    with pytest.raises(ValueError, match="prevalence"):
        first.at(prevalence=1)
