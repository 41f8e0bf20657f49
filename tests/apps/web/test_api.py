from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from starlette.testclient import TestClient

from bundles import write_tiny_bundle
from covidct.apps.web import api
from covidct.apps.web.server import Server
from covidct.apps.web.upload_answers import Reading
from covidct.images.hounsfield import WINDOWS, to_display
from covidct.inference.bundle import default_path
from covidct.inference.classifier import Classifier
from figures.predictions import predicted
from makers import ct_dataset, dicom_bytes, phantom_hu
from places import ROOT
from services.servers import BRIGHT, DARK, LESIONS, client, files, make_server
from stacks import stack, volume

SCHEMA = ROOT / "docs" / "reference" / "result.schema.json"
PAINTED = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.fixture
def server(tiny_bundle: Path) -> Server:
    return make_server(tiny_bundle)


@pytest.fixture
def caller(server: Server) -> Iterator[TestClient]:
    with client(server) as opened:
        yield opened


def finished(caller: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    """The status of a job once nothing more comes."""
    for _ in range(500):
        status: dict[str, Any] = caller.get(f"/api/jobs/{job['id']}").json()
        if status["state"] not in ("queued", "running"):
            return status
        time.sleep(0.02)
    raise AssertionError(f"it never ends: {status}")


def start(caller: TestClient, *contents: bytes) -> dict[str, Any]:
    answer = caller.post("/api/jobs", files=files(*contents))
    assert answer.status_code == 202
    assert answer.headers["location"] == f"jobs/{answer.json()['id']}"
    job: dict[str, Any] = answer.json()
    return job


class Held:
    """Readings that wait until they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.begun = threading.Event()
        self.go_on = threading.Event()
        original = Reading.pieces

        def pieces(reading: Reading) -> Iterator[None]:
            self.begun.set()
            self.go_on.wait(20)
            yield
            yield from original(reading)

        monkeypatch.setattr(Reading, "pieces", pieces)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    readings = Held(monkeypatch)
    yield readings
    readings.go_on.set()


def test_files_are_answered_in_order_and_in_the_one_schema(caller: TestClient, server: Server) -> None:
    answer = caller.post("/api/predict", files=files(BRIGHT, b"nothing", DARK))
    assert answer.status_code == 200
    records = answer.json()
    for record in records:
        PAINTED.validate(record)
    assert [record["decision"] for record in records] == ["positive", None, "negative"]
    assert [record["status"] for record in records] == ["ok", "error", "ok"]
    assert [record["path"] for record in records] == ["slice1.png", "slice2.png", "slice3.png"]
    assert server.api.memory.held == 0


def test_lists_that_may_be_long_are_made_beside_the_event_loop(
    caller: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[bool] = []

    def note(answer: object) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # in this thread there is none
            where.append(False)
        else:
            where.append(True)

    monkeypatch.setattr(api, "to_record", note)
    monkeypatch.setattr(api, "to_about", note)
    job = start(caller, BRIGHT, DARK)
    finished(caller, job)
    for name in ("results", "about"):
        assert caller.get(f"/api/jobs/{job['id']}/{name}").json() == [None, None]
    assert caller.post("/api/predict", files=files(BRIGHT)).json() == [None]
    assert where == [False] * 5


def test_answers_are_those_of_the_command_line() -> None:
    """With the shipped model, for a picture and for DICOM."""
    contents = (LESIONS, dicom_bytes(ct_dataset(phantom_hu())))
    with client(make_server(default_path())) as caller:
        records = caller.post("/api/predict", files=files(*contents)).json()
    classifier = Classifier.load(threads=1)
    for record, data in zip(records, contents, strict=True):
        PAINTED.validate(record)
        from covidct.images.read import parse_slice

        expected = classifier.predict(parse_slice(data, name="x"))
        assert record["decision"] == expected.decision
        if expected.probability is not None:
            assert record["probability"] == pytest.approx(expected.probability, abs=1e-3)


@pytest.mark.parametrize("where", ["data", "params"])
def test_operating_point_and_prevalence_are_asked_in_fields_or_query(caller: TestClient, where: str) -> None:
    asked = {"operating_point": "sensitive", "prevalence": "0.05"}
    options: dict[str, Any] = {where: asked}
    [record] = caller.post("/api/predict", files=files(BRIGHT), **options).json()
    assert record["operating_point"]["name"] == "sensitive"
    assert record["prevalence"] == 0.05
    assert record["probability_at_prevalence"] < record["probability"]


@pytest.mark.parametrize("where", ["data", "params"])
def test_a_slip_in_a_name_is_not_passed_over(caller: TestClient, where: str) -> None:
    options: dict[str, Any] = {where: {"prevalance": "0.05"}}
    answer = caller.post("/api/predict", files=files(BRIGHT), **options)
    assert answer.status_code == 422
    assert "prevalence may be meant" in answer.json()["detail"]


def test_one_request_changes_nothing_for_the_next(caller: TestClient) -> None:
    caller.post(
        "/api/predict", files=files(BRIGHT), params={"operating_point": "sensitive", "prevalence": 0.1}
    )
    [record] = caller.post("/api/predict", files=files(BRIGHT)).json()
    assert record["operating_point"]["name"] == "balanced"
    assert record["prevalence"] is None


@pytest.mark.parametrize("path", ["/api/predict", "/api/jobs"])
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"files": files(BRIGHT), "params": {"operating_point": "best"}}, 422),
        ({"files": files(BRIGHT), "data": {"prevalence": "2"}}, 422),
        ({"data": {"files": "text"}}, 415),
        ({"json": {}}, 415),
        ({}, 415),
        ({"files": files(bytes(3_000_000))}, 413),
    ],
)
def test_bad_requests_are_told_what_is_wrong(
    tiny_bundle: Path, path: str, options: dict[str, Any], status: int
) -> None:
    server = make_server(tiny_bundle, body_bytes=2_000_000)
    with client(server) as caller:
        answer = caller.post(path, **options)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["detail"].endswith(".")
        assert server.api.memory.held == 0
        assert len(server.api.jobs) == 0
        assert caller.post("/api/predict", files=files(BRIGHT)).status_code == 200


def test_a_job_tells_how_far_it_is_and_gives_results(caller: TestClient, server: Server) -> None:
    job = start(caller, BRIGHT, b"nothing", *[DARK] * 18)
    assert job["state"] in ("queued", "running")
    status = finished(caller, job)
    assert status == {
        "id": job["id"],
        "state": "done",
        "done": 20,
        "total": 20,
        "skipped": 0,
        "results_url": f"{job['id']}/results",
        "message": None,
    }
    records = caller.get(f"/api/jobs/{status['results_url']}").json()
    assert [record["path"] for record in records] == [f"slice{number}.png" for number in range(1, 21)]
    assert records[0]["decision"] == "positive"
    assert caller.get(f"/api/jobs/{status['results_url']}").json() == records  # a reload asks again
    assert server.api.memory.held > 0
    assert caller.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert server.api.memory.held == 0
    for path in ("", "/results", "/evidence/0", "/slices/0"):
        assert caller.get(f"/api/jobs/{job['id']}{path}").status_code == 404


def test_evidence_is_the_map_whose_mean_and_bias_make_the_logit(
    caller: TestClient, tiny_bundle: Path
) -> None:
    job = start(caller, LESIONS)
    finished(caller, job)
    table = caller.get(f"/api/jobs/{job['id']}/evidence/0").json()
    cells = np.array(table["map"])
    assert cells.shape == (table["height"], table["width"]) == (4, 4)
    assert table["box"] == [0, 0, 1, 1]
    from covidct.images.read import parse_slice

    made = predicted(Classifier.load(tiny_bundle, threads=1).predict(parse_slice(LESIONS, name="x")))
    assert cells.mean() + table["bias"] == pytest.approx(made.logit, abs=1e-3)


def test_of_two_questions_the_map_answers_the_first(tmp_path: Path) -> None:
    with client(make_server(write_tiny_bundle(tmp_path / "two", asks_twice=True))) as caller:
        job = start(caller, BRIGHT)
        finished(caller, job)
        (record,) = caller.get(f"/api/jobs/{job['id']}/results").json()
        table = caller.get(f"/api/jobs/{job['id']}/evidence/0").json()
    PAINTED.validate(record)
    assert record["finding"] == "atypical"
    # Of the tiny graph: extent is the sigmoid of the logit of opacity.
    logit = np.mean(table["map"]) + table["bias"]
    assert record["extent"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)


def test_hounsfield_units_and_geometry_are_those_of_the_file(caller: TestClient) -> None:
    hu = phantom_hu()
    tags = {"ImageOrientationPatient": [-1, 0, 0, 0, -1, 0], "PixelSpacing": [0.5, 0.75]}
    bare = ct_dataset(hu)
    del bare.ImageOrientationPatient, bare.PixelSpacing
    job = start(caller, dicom_bytes(ct_dataset(hu, **tags)), BRIGHT, dicom_bytes(bare))
    finished(caller, job)
    where = f"/api/jobs/{job['id']}"
    units = np.frombuffer(caller.get(f"{where}/hounsfield/0").content, "<i2").reshape(hu.shape)
    assert np.abs(units - np.clip(hu, -1024, 3071)).max() <= 0.5
    turn = {"transpose": False, "flip_rows": True, "flip_columns": True}
    assert caller.get(f"{where}/geometry/0").json() == {"spacing_mm": [0.5, 0.75], "turn": turn}
    for number in (1, 2):  # a picture says neither, and nor does an object without these elements
        assert caller.get(f"{where}/geometry/{number}").json() == {"spacing_mm": None, "turn": None}
    for path in ("hounsfield/1", "hounsfield/3", "geometry/3"):
        assert caller.get(f"{where}/{path}").status_code == 404


def test_a_slice_of_a_series_says_where_it_lies(caller: TestClient) -> None:
    job = start(caller, *(dicom_bytes(one) for one in stack(volume(3))), BRIGHT)
    finished(caller, job)
    about = caller.get(f"/api/jobs/{job['id']}/about").json()
    places = [one["position_mm"] for one in about]
    assert places[0] is places[-1] is None  # a picture, and the series
    assert np.diff(places[1:-1]).min() > 0


def test_a_slice_is_shown_as_the_model_saw_it(caller: TestClient) -> None:
    hu = phantom_hu()
    job = start(caller, dicom_bytes(ct_dataset(hu)), BRIGHT)
    finished(caller, job)
    answer = caller.get(f"/api/jobs/{job['id']}/slices/0")
    assert answer.headers["content-type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(BytesIO(answer.content))), to_display(hu))
    assert caller.get(f"/api/jobs/{job['id']}/slices/1").status_code == 200


@pytest.mark.parametrize("window", list(WINDOWS))
def test_a_slice_is_shown_in_other_windows(caller: TestClient, window: str) -> None:
    hu = phantom_hu()
    job = start(caller, dicom_bytes(ct_dataset(hu)))
    finished(caller, job)
    answer = caller.get(f"/api/jobs/{job['id']}/slices/0", params={"window": window})
    assert answer.status_code == 200
    centre, width = WINDOWS[window]
    shown = np.asarray(Image.open(BytesIO(answer.content)))
    assert np.array_equal(shown, to_display(hu, centre=centre, width=width))


def test_a_picture_has_no_windows_and_other_names_are_none(caller: TestClient) -> None:
    job = start(caller, BRIGHT, b"nothing")
    finished(caller, job)
    slices = f"/api/jobs/{job['id']}/slices"
    for address, status, said in (
        (f"{slices}/0?window=soft", 404, "no Hounsfield units"),
        (f"{slices}/1?window=soft", 404, "no Hounsfield units"),
        (f"{slices}/0?window=brain", 422, "lung, soft, bone"),
        (f"{slices}/0?window=", 422, "lung, soft, bone"),
    ):
        answer = caller.get(address)
        assert answer.status_code == status, address
        assert said in answer.json()["detail"]


def test_slices_that_are_shown_are_held_no_longer(caller: TestClient, server: Server) -> None:
    """However many are asked for, the job keeps the upload and nothing that is made of it."""
    job = start(caller, dicom_bytes(ct_dataset(phantom_hu(size=256))))
    finished(caller, job)
    held = server.api.memory.held
    address = f"/api/jobs/{job['id']}/slices/0?window=bone"
    caller.get(address)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            caller.get(address)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 256 * 256
    finally:
        tracemalloc.stop()
    assert server.api.memory.held == held


def test_where_there_is_nothing_to_show_that_is_said(caller: TestClient) -> None:
    job = start(caller, b"nothing")
    finished(caller, job)
    for path in ("evidence/0", "slices/0", "evidence/1", "slices/99999999", "slices/x", "slices/-1", "more"):
        answer = caller.get(f"/api/jobs/{job['id']}/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["detail"]


def test_a_job_that_runs_can_be_dropped(caller: TestClient, server: Server, held: Held) -> None:
    job = start(caller, *[BRIGHT] * 3)
    assert held.begun.wait(10)
    assert caller.get(f"/api/jobs/{job['id']}").json()["state"] == "running"
    assert caller.get(f"/api/jobs/{job['id']}/results").json() == []
    assert caller.delete(f"/api/jobs/{job['id']}").status_code == 204
    held.go_on.set()
    for _ in range(200):
        if not server.api.worker.tasks:
            break
        time.sleep(0.02)
    assert server.api.worker.tasks == 0


def test_beyond_the_queue_callers_are_told_when_to_come_again(tiny_bundle: Path, held: Held) -> None:
    with client(make_server(tiny_bundle, tasks=2)) as caller:
        jobs = [start(caller, BRIGHT), start(caller, BRIGHT)]
        for path in ("/api/predict", "/api/jobs"):
            answer = caller.post(path, files=files(BRIGHT))
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        assert caller.get("/ready").status_code == 503
        assert caller.get("/health").status_code == 200
        held.go_on.set()
        assert {finished(caller, job)["state"] for job in jobs} == {"done"}
        assert caller.get("/ready").status_code == 200
        assert caller.post("/api/predict", files=files(BRIGHT)).status_code == 200


def test_beyond_the_jobs_that_are_kept_too(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle, jobs=1)) as caller:
        job = start(caller, BRIGHT)
        finished(caller, job)
        assert caller.post("/api/jobs", files=files(BRIGHT)).status_code == 503
        caller.delete(f"/api/jobs/{job['id']}")
        assert caller.post("/api/jobs", files=files(BRIGHT)).status_code == 202


def test_jobs_hold_their_bytes_and_no_more_than_there_are(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle, memory_bytes=3_000_000)) as caller:
        job = start(caller, bytes(2_000_000))
        finished(caller, job)
        answer = caller.post("/api/predict", files=files(bytes(2_000_000)))
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        caller.delete(f"/api/jobs/{job['id']}")
        assert caller.post("/api/predict", files=files(bytes(2_000_000))).status_code == 200


def test_a_stopping_server_takes_nothing_new_but_gives_what_is_done(
    caller: TestClient, server: Server
) -> None:
    job = start(caller, BRIGHT)
    finished(caller, job)
    server.api.stopping = True
    assert caller.post("/api/predict", files=files(BRIGHT)).status_code == 503
    assert caller.get("/ready").status_code == 503
    assert not server.api.is_idle()  # nobody has fetched the results
    assert caller.get(f"/api/jobs/{job['id']}/results").status_code == 200
    assert server.api.is_idle()


def test_a_failed_job_says_so(caller: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def pieces(reading: Reading) -> Iterator[None]:
        raise RuntimeError("secret")
        yield

    monkeypatch.setattr(Reading, "pieces", pieces)
    status = finished(caller, start(caller, BRIGHT))
    assert status["state"] == "failed"
    assert status["message"]
    assert "secret" not in status["message"]


def test_the_model_tells_its_figures_and_the_limits(caller: TestClient) -> None:
    facts = caller.get("/api/model").json()
    assert facts["model"] == "tiny-1.2.3"
    assert facts["disclaimer"] == "Research use only; not a medical device."
    assert facts["limits"]["files"] == 2000


def test_counters_count_what_was_answered(caller: TestClient) -> None:
    caller.post("/api/predict", files=files(BRIGHT, b"nothing"))
    answer = caller.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'covidct_results_total{kind="slice",outcome="positive"} 1.0' in answer.text
    assert 'covidct_requests_total{method="POST",route="/api/predict",status="200"} 1.0' in answer.text
    assert "covidct_held_bytes 0.0" in answer.text


def test_a_job_that_is_cancelled_keeps_its_results(caller: TestClient) -> None:
    job = start(caller, LESIONS)
    finished(caller, job)
    told = caller.post(f"/api/jobs/{job['id']}/cancel")
    assert (told.status_code, told.json()["id"]) == (200, job["id"])
    assert len(caller.get(f"/api/jobs/{job['id']}/results").json()) == 1
    assert caller.post("/api/jobs/none/cancel").status_code == 404


def test_a_job_that_waits_is_cancelled(caller: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    job = start(caller, LESIONS, LESIONS)
    assert held.begun.wait(20)
    caller.post(f"/api/jobs/{job['id']}/cancel")
    held.go_on.set()
    assert finished(caller, job)["state"] == "cancelled"
    assert caller.get(f"/api/jobs/{job['id']}/results").json() == []


def test_an_archive_with_a_series_is_answered_as_one(caller: TestClient) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for at, dataset in enumerate(stack(volume(5, lesions=(2,)))):
            archive.writestr(f"study/IM{(at * 3) % 5}", dicom_bytes(dataset))
    job = start(caller, buffer.getvalue(), BRIGHT)
    status = finished(caller, job)
    assert (status["done"], status["total"]) == (7, 7)
    records = caller.get(f"/api/jobs/{status['results_url']}").json()
    for record in records:
        PAINTED.validate(record)
    assert [record["kind"] for record in records] == ["slice"] * 6 + ["series"]
    assert [record["slice_index"] for record in records] == [None, 0, 1, 2, 3, 4, None]
    assert records[-1]["series"]["slices"] == 5
    assert caller.get(f"/api/jobs/{job['id']}/slices/3").status_code == 200
    for path in ("slices/6", "evidence/6"):
        assert caller.get(f"/api/jobs/{job['id']}/{path}").status_code == 404
    assert len(caller.post("/api/predict", files=files(buffer.getvalue())).json()) == 6


def test_an_upload_without_slices_is_told(caller: TestClient) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "nothing to see")
    answer = caller.post("/api/predict", files=files(buffer.getvalue()))
    assert answer.status_code == 422
    status = finished(caller, start(caller, buffer.getvalue()))
    assert status["state"] == "failed"
    assert status["message"] == answer.json()["detail"]
