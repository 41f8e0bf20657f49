"""The API's answers, one method a route: predict, jobs, model, health, counters.

Knows the order of things: room, upload, work, answer. Knows nothing of which address leads where (`server`),
nor of who may ask (`guard`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from covidct.apps.web.about import UNKNOWN, find_geometry, to_about
from covidct.apps.web.counters import MEDIA_TYPE, Counters
from covidct.apps.web.jobs import Job, Jobs
from covidct.apps.web.memory import Memory
from covidct.apps.web.model_facts import to_facts
from covidct.apps.web.problem import BROKEN, Problem, busy
from covidct.apps.web.query import check_names, parse_asking, parse_window
from covidct.apps.web.settings import Settings
from covidct.apps.web.upload_answers import Bounds, Reading, draw, to_words
from covidct.apps.web.uploads import Upload, drain, read_upload
from covidct.apps.web.worker import Task, Worker
from covidct.errors import ReadError
from covidct.inference.classifier import Classifier
from covidct.inference.study_answers import StudyAnswer
from covidct.results.formats import to_record
from covidct.results.png import to_png
from covidct.series.types import Instance

T = TypeVar("T")

DRAWN_AT_ONCE = 2  # slices that are decoded to be shown; each may take some hundred MB while it is


class Api:
    """One classifier, one worker, and what is asked of them."""

    def __init__(self, classifier: Classifier, settings: Settings):
        self.settings = settings
        self.stopping = False
        self.worker = Worker(room=settings.tasks)
        self.memory = Memory(settings.memory_bytes)
        self.jobs = Jobs(settings, self.memory)
        self.counters = Counters(
            model=classifier.model,
            gauges={
                "covidct_tasks": ("Requests and jobs that run or wait.", lambda: self.worker.tasks),
                "covidct_jobs": ("Jobs that are kept.", lambda: len(self.jobs)),
                "covidct_held_bytes": ("Bytes of uploads that are held.", lambda: self.memory.held),
            },
        )
        self._bounds = Bounds(settings.files, settings.unpacked_bytes)
        self._classifier = classifier
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)
        lowest = classifier.find_min_probability()
        self._facts = to_facts(classifier.bundle, classifier.model.precision, min_probability=lowest)
        self._facts["limits"] = _to_limits(settings)

    async def predict(self, request: Request) -> Response:
        """POST /api/predict: the results, once all are there."""
        await self._admit(request, self._check_room)
        upload = await read_upload(request, self.settings, self.memory)
        try:
            reading = self._to_reading(upload, request)
            await _wait(request, self.worker.submit(reading.pieces()))
        finally:
            self.memory.give_back(upload.size)
        return await self._to_results(reading.answers)

    async def start_job(self, request: Request) -> Response:
        """POST /api/jobs: at once, and the work goes on."""
        await self._admit(request, self._check_room, self.jobs.check_room)
        upload = await read_upload(request, self.settings, self.memory)
        try:
            reading = self._to_reading(upload, request)
            self.jobs.check_room()  # the upload may have taken minutes
            job = Job(reading, self.worker.submit(reading.pieces()), size=upload.size)
        except Problem:
            self.memory.give_back(upload.size)
            raise
        self.jobs.add(job)
        # Addresses are relative to the one that was asked: a proxy may have the server under another.
        headers = {"Location": f"jobs/{job.id}"}
        status = _to_status(job, f"jobs/{job.id}/results")
        return JSONResponse(status, status_code=HTTPStatus.ACCEPTED, headers=headers)

    async def show_or_drop_job(self, request: Request) -> Response:
        """GET /api/jobs/ID: how far it is. DELETE: cancelled where it still runs, and forgotten."""
        job = self._find(request)
        if request.method != "DELETE":
            return JSONResponse(_to_status(job, f"{job.id}/results"))
        self.jobs.forget(job)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def cancel_job(self, request: Request) -> Response:
        """POST /api/jobs/ID/cancel: no more of it is read; the results that are there stay."""
        job = self._find(request)
        job.task.cancel()
        return JSONResponse(_to_status(job, "results"))

    async def show_results(self, request: Request) -> Response:
        """GET /api/jobs/ID/results: those that are there so far."""
        job = self._find(request)
        job.fetched = job.finished
        return await self._to_results(job.reading.answers)

    async def show_about(self, request: Request) -> Response:
        """GET /api/jobs/ID/about: what else a page shows of those results, one each."""
        return await run_in_threadpool(_to_list, tuple(self._find(request).reading.answers), to_about)

    async def show_evidence(self, request: Request) -> Response:
        """GET /api/jobs/ID/evidence/N: the map that result N rests on."""
        made = self._find_answer(request).result.prediction
        if made is None or made.evidence is None or made.logit is None:
            raise Problem(
                HTTPStatus.NOT_FOUND, "This result has no evidence: it does not answer for a slice."
            )
        # Of two questions the map answers the first.
        answered = made.opacity.logit if made.opacity else made.logit
        height, width = made.evidence.shape
        table = {
            "width": width,
            "height": height,
            "map": [[round(float(cell), 4) for cell in row] for row in made.evidence],
            "box": [round(float(edge), 6) for edge in made.box],
            "bias": round(answered - float(made.evidence.mean()), 6),
        }
        return JSONResponse(table)

    async def show_slice(self, request: Request) -> Response:
        """GET /api/jobs/ID/slices/N: what result N is about, in the lung window or another, as PNG."""
        answer = self._find_answer(request)
        check_names(request.query_params, ("window",))
        window = parse_window(request.query_params.get("window"))
        async with self._drawing:
            picture = await run_in_threadpool(_draw, answer, window)
        if picture is None and window is not None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "This slice has no Hounsfield units to show in a window; without one it is shown as it is.",
            )
        if picture is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no slice to show: this result is not about one.")
        return Response(picture, media_type="image/png")

    async def show_hounsfield(self, request: Request) -> Response:
        """GET /api/jobs/ID/hounsfield/N: the Hounsfield units of a slice, 16 bits each, row by row."""
        answer = self._find_answer(request)
        async with self._drawing:
            units = await run_in_threadpool(_read, answer, to_words)
        if units is None:
            raise Problem(HTTPStatus.NOT_FOUND, "This result is not about a slice with Hounsfield units.")
        return Response(units, media_type="application/octet-stream")

    async def show_geometry(self, request: Request) -> Response:
        """GET /api/jobs/ID/geometry/N: how large a slice's pixels are, and which of its sides is which."""
        geometry = await run_in_threadpool(_read, self._find_answer(request), find_geometry)
        return JSONResponse(geometry or UNKNOWN)

    async def show_model(self, request: Request) -> Response:
        """GET /api/model: what answers here, how it was measured, and how much it takes at once."""
        return JSONResponse(self._facts)

    async def show_health(self, request: Request) -> Response:
        """GET /health: the process runs."""
        return JSONResponse({"status": "ok"})

    async def show_ready(self, request: Request) -> Response:
        """GET /ready: it takes work."""
        self._check_room()
        return JSONResponse({"status": "ready"})

    async def show_counters(self, request: Request) -> Response:
        """GET /metrics: the counters, for Prometheus."""
        return Response(self.counters.to_text(), media_type=MEDIA_TYPE)

    def is_idle(self) -> bool:
        """Whether nobody waits for anything any more."""
        return not self.worker.tasks and not self.jobs.unfetched()

    async def _admit(self, request: Request, *checks: Callable[[], None]) -> None:
        """Raise Problem where a check does, but after the body: browsers show no answer that comes early."""
        try:
            for check in checks:
                check()
        except Problem:
            await drain(request, self.settings)
            raise

    def _check_room(self) -> None:
        if self.stopping:
            raise busy("The server is being stopped; try again in a minute.", seconds=60)
        self.worker.check_room()

    def _to_reading(self, upload: Upload, request: Request) -> Reading:
        asking = parse_asking({**request.query_params, **upload.fields}, self._classifier.bundle)
        classifier = self._classifier.at(asking.operating_point, prevalence=asking.prevalence)
        return Reading(classifier, upload.files, self._bounds)

    async def _to_results(self, answers: list[StudyAnswer]) -> Response:
        results = [answer.result for answer in answers]
        self.counters.count_results(results)
        return await run_in_threadpool(_to_list, results, to_record)

    def _find(self, request: Request) -> Job:
        job = self.jobs.find(request.path_params["id"])
        if job is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such job, or no longer; send the files again.")
        return job

    def _find_answer(self, request: Request) -> StudyAnswer:
        answers = self._find(request).reading.answers
        number: int = request.path_params["number"]
        if number >= len(answers):
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no result {number}, or not yet.")
        return answers[number]


def _to_list(items: Sequence[T], to_item: Callable[[T], Any]) -> JSONResponse:
    """A list of JSON; for a long series it takes a while, so it is made beside the event loop."""
    return JSONResponse([to_item(item) for item in items])


def _draw(answer: StudyAnswer, window: str | None) -> bytes | None:
    """The PNG of an answer's slice; None where there is none."""
    pixels = _read(answer, lambda instance: draw(instance, window))
    return None if pixels is None else to_png(pixels)


def _read(answer: StudyAnswer, read: Callable[[Instance], T | None]) -> T | None:
    """What is read of an answer's slice; None where there is none, or where the result says why not."""
    if answer.instance is None:
        return None
    try:
        return read(answer.instance)
    except ReadError:
        return None


async def _wait(request: Request, task: Task) -> None:
    """Until a task is finished. Raises ClientDisconnect, and cancels it, where nobody waits any more."""
    done = asyncio.ensure_future(task.finished.wait())
    gone = asyncio.ensure_future(request.receive())  # after the body nothing comes but the end
    try:
        await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        done.cancel()
        gone.cancel()
    if not task.finished.is_set():
        task.cancel()
        raise ClientDisconnect
    if isinstance(task.error, ReadError):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(task.error))
    if task.error is not None:  # the worker has logged it
        raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, BROKEN)
    if task.cancelled:
        raise busy("The server was stopped before this was done; try again in a minute.", seconds=60)


def _to_status(job: Job, results_url: str) -> dict[str, str | int | None]:
    return {
        "id": job.id,
        "state": job.state.value,
        "done": len(job.reading.answers),
        "total": job.reading.total,
        "skipped": job.reading.skipped,
        "results_url": results_url,
        "message": None if job.task.error is None else _to_message(job.task.error),
    }


def _to_message(error: Exception) -> str:
    return str(error) if isinstance(error, ReadError) else BROKEN


def _to_limits(settings: Settings) -> dict[str, float]:
    return {"body_bytes": settings.body_bytes, "files": settings.files, "keep_seconds": settings.keep_s}
