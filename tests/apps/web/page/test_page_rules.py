"""The page's arithmetic, in a browser, beside the Python that it must equal."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from covidct.apps.web.static_app import PAGE
from covidct.images.hounsfield import WINDOWS, to_display
from covidct.images.orientation import find_turn, turn, turn_box_back
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.images.plausibility import find_implausible
from covidct.images.raster import parse_picture
from covidct.inference.bundle import load_bundle
from covidct.inference.config import Cutoffs
from covidct.inference.decision import to_decision, to_probability
from covidct.inference.finding import name_finding
from covidct.inference.gate import check_slice, check_view
from covidct.inference.overlay import to_strength
from covidct.inference.picture_window import is_wrong_window
from covidct.inference.prevalence import predictive_values, shift_probability
from covidct.inference.rotation import is_turned
from covidct.inference.series_evidence import find_ranked, join_opacities
from covidct.inference.upside_down import is_upside_down
from covidct.results.formats import CSV_COLUMNS
from covidct.types import Finding, GateLimits, Opacity
from makers import encode, encode_photograph
from places import ROOT
from services.browsers import serving, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONFIG = load_bundle().config
SCHEMA = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rules(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page beside the rules: nothing but modules of ours is loaded."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules").symlink_to(PAGE / "rules")
    (folder / "engine").symlink_to(PAGE / "engine")
    (folder / "vendored").symlink_to(PAGE / "vendored")
    (folder / "index.html").write_text(
        '<!doctype html><html data-ready="true" lang="en"><title>rules</title><link rel="icon" href="data:,">'
    )
    with serving(folder) as address, visiting(browser, address) as page:
        yield page


def run(page: Page, module: str, body: str, given: Any) -> Any:
    """What `body`, with the module's exports as `m`, makes of `given`."""
    return page.evaluate(f"async (given) => {{ const m = await import('./{module}.js'); {body} }}", given)


def test_decisions_are_those_of_python(rules: Page) -> None:
    logits = [*np.linspace(-60, 60, 401).tolist(), CONFIG.shift, -800.0, 800.0]
    given = {
        "logits": logits,
        "config": {"temperature": CONFIG.temperature, "shift": CONFIG.shift},
        "points": [asdict(point) for point in CONFIG.operating_points],
    }
    body = """
      const probabilities = given.logits.map((logit) => m.toProbability(logit, given.config));
      return [probabilities, given.points.map((point) => probabilities.map((p) => m.toDecision(p, point)))]
    """
    probabilities, decisions = run(rules, "rules/decision", body, given)
    expected = [to_probability(one, temperature=CONFIG.temperature, shift=CONFIG.shift) for one in logits]
    assert probabilities == pytest.approx(expected, rel=1e-12, abs=1e-300)
    for point, decided in zip(CONFIG.operating_points, decisions, strict=True):
        assert decided == [to_decision(one, point).value for one in expected]


def test_the_ends_of_the_band_are_indeterminate(rules: Page) -> None:
    point = CONFIG.operating_points[0]
    ends = [point.band[0], point.band[1], math.nextafter(point.band[0], 0), math.nextafter(point.band[1], 1)]
    given = {"ends": ends, "point": asdict(point)}
    body = "return given.ends.map((end) => m.toDecision(end, given.point))"
    assert run(rules, "rules/decision", body, given) == [to_decision(end, point).value for end in ends]


def test_worth_at_a_prevalence_is_that_of_python(rules: Page) -> None:
    grid = [0.0, 0.001, 0.05, 0.3, 0.5, 0.97, 1.0]
    cases = [(p, at, s, c) for p in grid for at in grid[1:-1] for s in grid for c in grid]
    body = """return given.map(([p, at, sensitivity, specificity]) => {
      const { ppv, npv } = m.predictiveValues({ sensitivity, specificity }, at);
      return [m.shiftProbability(p, at, 0.5), ppv, npv] })"""
    found = run(rules, "rules/prevalence", body, cases)
    for (probability, at, sensitivity, specificity), (shifted, *values) in zip(cases, found, strict=True):
        expected = shift_probability(probability, prevalence=at, calibrated_at=0.5)
        assert shifted == pytest.approx(expected, rel=1e-12)
        for value, wanted in zip(
            values, predictive_values(sensitivity, specificity, prevalence=at), strict=True
        ):
            assert value is wanted is None or value == pytest.approx(wanted, rel=1e-12)


def test_the_window_is_that_of_python(rules: Page) -> None:
    hu = [*range(-1400, 200), *(value / 8 for value in range(-12_000, 2_000, 7))]
    body = "return Array.from(m.toDisplay(Float64Array.from(given)))"
    assert run(rules, "rules/window", body, hu) == to_display(np.array(hu, np.float64)).tolist()
    windows = run(rules, "rules/window", "return m.WINDOWS", None)
    assert {name: tuple(window) for name, window in windows.items()} == dict(WINDOWS)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((64, 64), 7, np.uint8),
        np.zeros((16, 300), np.uint8),
        to_display(draw_phantom(Phantom.NORMAL, seed=3, size=63)),
        to_display(draw_phantom(Phantom.NORMAL, seed=3, size=64)),
        to_display(draw_phantom(Phantom.NORMAL, seed=3, size=200)),
        np.repeat(np.arange(5, dtype=np.uint8), 40).reshape(2, 100).repeat(50, axis=0),
        np.repeat(np.arange(4, dtype=np.uint8), 2000).reshape(80, 100),
    ],
)
def test_the_first_gate_is_that_of_python(rules: Page, pixels: np.ndarray[Any, Any]) -> None:
    height, width = pixels.shape
    given = {"pixels": pixels.ravel().tolist(), "width": width, "height": height}
    body = "return m.checkSlice({ ...given, pixels: Uint8Array.from(given.pixels) })"
    verdict, expected = run(rules, "rules/gate", body, given), check_slice(pixels)
    assert (verdict is None) is expected.accepted
    assert verdict is None or verdict["reason"] == expected.reason


def test_the_camera_of_a_photograph_is_that_of_python(rules: Page) -> None:
    image = Image.fromarray(to_display(draw_phantom(Phantom.NORMAL, seed=3, size=64)))
    whole = [
        encode_photograph(image, kind, endian=endian, **exposure)
        for kind in ("JPEG", "PNG", "WEBP")
        for endian in "<>"
        for exposure in ({"ExposureTime": 0.01}, {"FNumber": 1.8}, {})
    ]
    # EXIF whose name, offsets, counts and values were changed, and none at all.
    at, random = whole[0].index(b"Exif"), np.random.default_rng(7)
    size = int.from_bytes(whole[0][at - 2 : at], "big") - 2
    changed = [np.frombuffer(whole[0], np.uint8).copy() for _ in range(200)]
    for one in changed:
        one[at + random.integers(size)] = random.integers(0, 256)
    files = [*whole, *(one.tobytes() for one in changed), encode(image, "JPEG"), encode(image, "BMP")]
    body = """
      const { sniffFormat } = await import('./engine/local/images/picture_header.js');
      const files = given.map((data) => Uint8Array.from(data));
      return files.map((bytes) => m.findCamera(bytes, sniffFormat(bytes)))
    """
    found = run(rules, "engine/local/images/camera", body, [list(data) for data in files])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow has to say of damaged EXIF
        expected = [parse_picture(data, name="x").camera for data in files]
    # Damage may change the name; whether there is one decides.
    assert found[: len(whole)] == expected[: len(whole)]
    assert [bool(one) for one in found] == [bool(one) for one in expected]
    assert expected[:3] == ["Acme Phone 3", "Acme Phone 3", ""]


def test_a_photograph_is_refused_as_in_python(rules: Page) -> None:
    """In the same words: the page has them in three languages."""
    pixels = to_display(draw_phantom(Phantom.NORMAL, seed=3, size=64))
    given = {"pixels": pixels.ravel().tolist(), "width": 64, "height": 64, "camera": "Acme Phone 3"}
    verdict = run(rules, "rules/gate", "return m.checkSlice(given)", given)
    expected = check_slice(pixels, camera="Acme Phone 3")
    texts = json.loads((PAGE / "texts" / "en.json").read_text(encoding="utf-8"))
    said = texts[f"error.{verdict['code']}"].format(**verdict["values"])
    assert verdict["reason"] == expected.reason
    assert said == f"A{str(expected.detail)[1:]}."


def test_the_second_gate_is_that_of_python(rules: Page) -> None:
    random = np.random.default_rng(5)
    limits = GateLimits(("chest", "not_ct", "radiograph", "not_chest", "not_axial"), 0.3, 0.02)
    cases = [(random.normal(0, 3, 5).astype(np.float32), float(random.uniform(0, 0.05))) for _ in range(300)]
    given = {"cases": [[logits.tolist(), lung] for logits, lung in cases], "limits": asdict(limits)}
    body = """return [false, true].map((hasHu) => given.cases.map(([logits, lung]) =>
      m.checkView(logits, lung, given.limits, { hasHu })?.reason ?? null))"""
    of_pictures, of_ct = (
        [check_view(logits, lung, limits, has_hu=has_hu).reason for logits, lung in cases]
        for has_hu in (False, True)
    )
    assert run(rules, "rules/gate", body, given) == [of_pictures, of_ct]
    assert (len(set(of_pictures)), len(set(of_ct))) == (6, 4)


@pytest.mark.parametrize(("size", "shape"), [((7, 7), (300, 200)), ((9, 6), (64, 96)), ((1, 1), (40, 40))])
def test_evidence_is_as_strong_as_in_python(
    rules: Page, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    evidence = np.random.default_rng(1).normal(1, 5, size).astype(np.float32)
    given = {"map": evidence.ravel().tolist(), "width": size[1], "height": size[0], "shown": shape}
    body = """const map = Float32Array.from(given.map);
      return Array.from(m.toStrength({ ...given, map }, given.shown[1], given.shown[0]))"""
    strength = np.array(run(rules, "rules/strength", body, given)).reshape(shape)
    assert np.abs(strength - to_strength(evidence, shape=shape)).max() < 1e-5


def test_findings_are_those_of_python(rules: Page) -> None:
    """Of slices, and of series made of them."""
    random = np.random.default_rng(5)
    cutoffs = Cutoffs(temperature=2.0, shift=0.5, opacity=0.4, typical=(-0.5, 0.75))
    drawn = [
        [Opacity(*(3 * random.normal(size=2)), *random.random(2)) for _ in range(size)]
        for size in (3, 9, 40, 31)
    ]
    drawn.append([Opacity(1.0, 0.2, 0.0, 0.0)] * 4)  # nothing weighs
    body = """return given.cases.map((slices) => [
      ...slices.map((one) => m.nameFinding(one, given.cutoffs)),
      m.nameFinding(given.joins.joinOpacities(slices), given.cutoffs),
    ].map(({ finding, probability, extent }) => [finding, probability, extent]));"""
    body = 'given.joins = await import("./rules/series_evidence.js");' + body
    given = {"cases": [[asdict(one) for one in slices] for slices in drawn], "cutoffs": asdict(cutoffs)}
    found = run(rules, "rules/finding", body, given)
    for slices, named in zip(drawn, found, strict=True):
        expected = [name_finding(one, cutoffs) for one in (*slices, join_opacities(slices))]
        assert [one[0] for one in named] == [one.finding for one in expected]
        numbers = [[one.probability or 0.0, one.extent] for one in expected]
        assert np.allclose([one[1:] for one in named], numbers, rtol=1e-12)
    assert {one[0] for named in found for one in named} == {finding.value for finding in Finding}


def test_spans_of_a_box_are_those_of_python(rules: Page) -> None:
    from covidct.inference.overlay import _to_span

    cases = [
        (start / 16, stop / 16, side)
        for start in range(17)
        for stop in range(start, 17)
        for side in (1, 8, 33)
    ]
    body = "return given.map((one) => m.toSpan(...one))"
    expected = [[span.start, span.stop] for span in (_to_span(*case) for case in cases)]
    assert run(rules, "rules/strength", body, cases) == expected


def test_a_turned_slice_is_told_as_in_python(rules: Page) -> None:
    random = np.random.default_rng(4)
    two = np.zeros((56, 56), np.float32)
    two[8:48, 4:24] = two[8:48, 32:52] = 1
    maps = [two, two.T, *(random.random((56, 40), np.float32).cumsum(axis) for axis in (0, 1))]
    maps += [
        np.where(random.random((h, w)) > 0.5, 1, 0).astype(np.float32) for h, w in ((1, 1), (7, 3), (5, 9))
    ]
    maps.append(np.zeros((4, 4), np.float32))
    boxes = [(0.1, 0.1, 0.5, 0.9), (0.0, 0.2, 1.0, 0.8)]
    cases = [(one, box, shape) for one in maps for box in boxes for shape in ((200, 200), (120, 300))]
    given = [
        {
            "map": one.ravel().tolist(),
            "width": one.shape[1],
            "height": one.shape[0],
            "box": box,
            "shape": shape,
        }
        for one, box, shape in cases
    ]
    body = "return given.map((one) => m.isTurned({ ...one, map: Float32Array.from(one.map) }, one.shape))"
    expected = [is_turned(one, box, shape=shape) for one, box, shape in cases]
    assert run(rules, "rules/rotation", body, given) == expected
    assert set(expected) == {True, False}


def test_an_upside_down_slice_is_told_as_in_python(rules: Page) -> None:
    random = np.random.default_rng(5)
    boxes = [(0.0, 0.0, 1.0, 1.0), (0.12, 0.3, 0.81, 0.93), (0.99, 0.99, 1.0, 1.0)]
    slices = [
        (ramp + random.integers(0, 9, size)).astype(np.uint8)
        for size in ((64, 64), (71, 90), (8, 8))
        for ramp in (np.linspace(0, end, size[0])[:, None] for end in (0, 200))
    ]
    slices += [one[::-1] for one in slices]
    cases = [(one, box) for one in slices for box in boxes]
    given = [
        {"pixels": one.ravel().tolist(), "width": one.shape[1], "height": one.shape[0], "box": box}
        for one, box in cases
    ]
    expected = [is_upside_down(one, box) for one, box in cases]
    assert (
        run(rules, "rules/rotation", "return given.map((one) => m.isUpsideDown(one, one.box))", given)
        == expected
    )
    assert set(expected) == {True, False}


def test_a_series_is_as_probable_as_in_python(rules: Page) -> None:
    random = np.random.default_rng(2)
    cases = [random.uniform(0, 1, count).tolist() for count in (3, 4, 29, 30, 31, 40, 300)]
    body = "return given.map((one) => m.findRanked(one))"
    found = run(rules, "rules/series_evidence", body, cases)
    assert found == [find_ranked(case) for case in cases]
    assert run(rules, "rules/series_evidence", body, [[0.5, 0.5]]) == [None]


def test_slices_are_read_from_the_middle_outwards_each_once(rules: Page) -> None:
    lengths = [0, 1, 2, 3, 7, 8, 9, 300, 1001]
    found = run(rules, "rules/spread", "return given.map((one) => m.spread(one))", lengths)
    assert [sorted(order) for order in found] == [list(range(length)) for length in lengths]
    assert found[7][:7] == [150, 75, 225, 37, 112, 187, 262]
    steps = np.diff(sorted(found[7][:16]))
    assert steps.max() < 3 * 300 / 16


def test_turns_are_those_of_python(rules: Page) -> None:
    axes = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
    cases = [[*row, *column] for row in axes for column in axes if abs(row[0]) != abs(column[0])]
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    given = {"cases": cases, "values": values.ravel().tolist(), "width": 3, "height": 2}
    body = """return given.cases.map((one) => {
      const by = m.findTurn(one);
      const stored = { values: Float32Array.from(given.values), width: 3, height: 2 };
      const shown = m.turn(stored, by);
      const back = m.turnBack(shown, by);
      const box = m.turnBoxBack([0.1, 0.2, 0.5, 0.9], by);
      return [Array.from(shown.values), shown.width, Array.from(back.values), box] })"""
    for case, (shown, width, back, box) in zip(
        cases, run(rules, "engine/local/series/orientation", body, given), strict=True
    ):
        by = find_turn(case)
        expected = turn(values, by)
        assert (shown, width) == (expected.ravel().tolist(), expected.shape[1])
        assert back == values.ravel().tolist()
        assert box == pytest.approx(turn_box_back((0.1, 0.2, 0.5, 0.9), by))


def answer(**changes: Any) -> dict[str, Any]:
    """A slice's answer, as the engines give it."""
    plain = {
        "kind": "slice", "path": "a/b.png", "status": "ok", "reason": None, "probability": 0.9123456789,
        "seriesUid": None, "instanceUid": None, "sliceIndex": None, "series": None,
    }  # fmt: skip
    return plain | changes


SUMMARY = {
    "slices": 3,
    "answered": 2,
    "evidence_share": 0.5,
    "telling": [1],
    "notes": [{"code": "c", "values": {"n": 1}}],
}
ANSWERS = [
    answer(),
    answer(probability=0.3),
    answer(status="refused", reason="no_lung", probability=None, path='=1+1,"x"\n<b>'),
    answer(status="error", reason="unreadable", probability=None),
    answer(kind="series", seriesUid="1.2", probability=0.3, series=SUMMARY),
]


def to_records(page: Page, answers: list[dict[str, Any]], prevalence: float | None) -> tuple[list[Any], str]:
    given = {
        "answers": answers,
        "config": {
            "labels": asdict(CONFIG.labels),
            "model": CONFIG.model,
            "precision": "float",
            "prevalence": CONFIG.prevalence,
        },
        "point": asdict(CONFIG.operating_points[0]),
        "prevalence": prevalence,
    }
    body = """
      const say = (one, at) => (one.status === 'ok' ? at && `undecided at ${at.name}` : 'a sentence');
      const words = { say, sayNote: () => 'a, "note"' };
      const records = given.answers.map((one) => m.toRecord(one, [], given, words));
      return [records, m.toCsv(records)]
    """
    records, text = run(page, "rules/record", body, given)
    return records, text


@pytest.mark.parametrize("prevalence", [None, 0.05])
def test_records_keep_to_the_schema(rules: Page, prevalence: float | None) -> None:
    records, _ = to_records(rules, ANSWERS, prevalence)
    for record in records:
        jsonschema.validate(record, SCHEMA)
    assert [record["decision"] for record in records] == [
        "positive",
        "indeterminate",
        None,
        None,
        "indeterminate",
    ]
    undecided = f"undecided at {CONFIG.operating_points[0].name}"
    assert [record["message"] for record in records] == [
        None,
        undecided,
        "a sentence",
        "a sentence",
        undecided,
    ]


def test_csv_has_the_columns_of_the_command_line(rules: Page) -> None:
    records, text = to_records(rules, ANSWERS, 0.05)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["schema_version", *CSV_COLUMNS]
    paths = [record["path"] for record in records]
    assert [row["path"] for row in rows] == [f"'{path}" if path.startswith("=") else path for path in paths]
    assert rows[4]["notes"] == 'a, "note"'
    assert records[4]["series"]["note_codes"] == SUMMARY["notes"]
    assert rows[0]["prediction_set"] == "covid"


def test_no_name_is_a_formula(rules: Page) -> None:
    for name in ("=1+2.png", "+1", "-1", "@x", "a=1.png"):
        record = {"path": name, "operating_point": None, "probability": -1, "series": None}
        text = run(rules, "rules/record", "return m.toCsv([given.record])", {"record": record})
        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        assert (row["path"], row["probability"]) == (name if name == "a=1.png" else f"'{name}", "-1")


def test_an_operating_point_with_more_fields_gives_the_schemas_alone(rules: Page) -> None:
    point = asdict(replace(CONFIG.operating_points[0])) | {"surplus": 1}
    body = """const words = { say: () => null, sayNote: (note) => note };
      return m.toRecord(given.answer, [], given, words).operating_point"""
    given = {
        "answer": answer(), "point": point, "prevalence": None,
        "config": {"labels": asdict(CONFIG.labels), "model": "m", "precision": "float", "prevalence": 0.5},
    }  # fmt: skip
    assert "surplus" not in run(rules, "rules/record", body, given)


def test_every_module_says_what_it_does() -> None:
    modules = [path for path in PAGE.rglob("*.js") if "vendored" not in path.parts]
    assert len(modules) > 30
    assert not [path.name for path in modules if not path.read_text(encoding="utf-8").startswith("// ")]
    assert not [path.name for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > 250]


def test_no_module_makes_markup_of_text() -> None:
    for path in PAGE.rglob("*.js"):
        if "vendored" not in path.parts:
            text = Path(path).read_text(encoding="utf-8")
            assert not [
                word for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(") if word in text
            ]


def test_windows_are_told_apart_as_in_python(rules: Page) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (70, 90), dtype=np.uint8), np.zeros((64, 64), np.uint8)]
    for kind in Phantom:
        hu = draw_phantom(kind, seed=1, size=96)
        for centre, width in ((-600, 1500), (-450, 1400), (-200, 1600), (40, 400), (400, 1800), (1024, 4095)):
            pictures.append(to_display(hu, centre=centre, width=width))
    given = [
        {"pixels": one.ravel().tolist(), "width": one.shape[1], "height": one.shape[0]} for one in pictures
    ]
    told = run(rules, "rules/picture_window", "return given.map((one) => m.isWrongWindow(one))", given)
    assert told == [is_wrong_window(one) for one in pictures]
    assert set(told) == {True, False}


def test_values_are_plausible_as_in_python(rules: Page) -> None:
    hu = draw_phantom(Phantom.LESIONS, seed=0, size=96).astype(float)
    padded = np.where(np.indices(hu.shape)[0] < 30, -3024, hu)
    kinds = [hu, hu - 1024, hu + 1024, -hu, padded, np.where(hu < 0, hu + 65536, hu), hu[30:65, 10:45]]
    told = run(
        rules,
        "engine/local/images/plausibility",
        "return given.map((one) => m.isImplausible(Float64Array.from(one)))",
        [one.ravel().tolist() for one in kinds],
    )
    assert told == [find_implausible(one) is not None for one in kinds]
    assert told == [False, True, True, True, False, True, False]
