"""The server: which address leads to which answer, and the page and its files beside them.

Knows routes and the order of the layers: access outermost, then guard, then the answers. Knows nothing of
sockets and signals (`serve`).
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from covidct.apps.web.access_log import AccessLog, answer_failure
from covidct.apps.web.api import Api
from covidct.apps.web.guard import Guard, Rooted
from covidct.apps.web.openapi.document import to_document
from covidct.apps.web.openapi.page import STYLE, to_page
from covidct.apps.web.problem import Problem, answer_problem
from covidct.apps.web.settings import Settings
from covidct.images.decoding.heap import give_back_memory
from covidct.inference.classifier import Classifier

PAGE = Path(__file__).parent / "page"
API = "/api/"
SWEEP_S = 5


class Server:
    """An ASGI application that answers with one classifier."""

    def __init__(self, classifier: Classifier, settings: Settings | None = None, *, page: Path = PAGE):
        self.settings = settings or Settings()
        self.api = Api(classifier, self.settings)
        points = [point.name for point in classifier.bundle.config.operating_points]
        self.document = to_document(self.settings, points)
        guarded = Guard(self._to_router(page), self.settings)
        self.app: ASGIApp = AccessLog(Rooted(guarded, self.settings.root), self.api.counters)

    def _to_router(self, page: Path) -> Starlette:
        routes = [*_to_routes(self.api), *self._to_documents(), _to_front(page)]
        app = Starlette(
            routes=routes,
            exception_handlers={
                Problem: answer_problem,
                HTTPException: answer_problem,
                Exception: answer_failure,
            },
            lifespan=self._live,
        )
        app.router.redirect_slashes = False  # it would send browsers to http, whatever a proxy speaks
        return app

    def _to_documents(self) -> list[BaseRoute]:
        """The document of the API, and the same for people."""

        async def show_document(request: Request) -> Response:
            return JSONResponse(self.document)

        async def show_page(request: Request) -> Response:
            return HTMLResponse(to_page(self.document))

        async def show_style(request: Request) -> Response:
            return Response(STYLE, media_type="text/css")

        return [
            Route("/openapi.json", show_document),
            Route("/docs", show_page),
            Route("/docs/style.css", show_style),
        ]

    @asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        """While it runs, old jobs are forgotten and memory is given back; when it stops, so is the work."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await self.api.worker.stop()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.api.jobs.sweep()
            await run_in_threadpool(give_back_memory)


def _to_routes(api: Api) -> list[BaseRoute]:
    job = "/api/jobs/{id}"
    return [
        Route("/api/predict", api.predict, methods=["POST"]),
        Route("/api/jobs", api.start_job, methods=["POST"]),
        Route(job, api.show_or_drop_job, methods=["GET", "DELETE"]),
        Route(f"{job}/cancel", api.cancel_job, methods=["POST"]),
        Route(f"{job}/results", api.show_results),
        Route(f"{job}/about", api.show_about),
        Route(f"{job}/evidence/{{number:int}}", api.show_evidence),
        Route(f"{job}/geometry/{{number:int}}", api.show_geometry),
        Route(f"{job}/hounsfield/{{number:int}}", api.show_hounsfield),
        Route(f"{job}/slices/{{number:int}}", api.show_slice),
        Route("/api/model", api.show_model),
        Route("/health", api.show_health),
        Route("/ready", api.show_ready),
        Route("/metrics", api.show_counters),
    ]


class _Front(Mount):
    """The page's files, for all addresses but the API's, whose own routes say which methods they take."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].startswith(API):
            return Match.NONE, {}
        return super().matches(scope)


class _Files(StaticFiles):
    """Files, new to a browser unless it names their ETag: it may keep newer ones of another server."""

    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        return "if-none-match" in request_headers and super().is_not_modified(
            response_headers, request_headers
        )


def _to_front(page: Path) -> BaseRoute:
    """The page at `/`; where there is none, the way to the API's."""
    if page.is_dir():
        # Some systems have other types for these, which browsers do not run.
        for ending, kind in ((".js", "text/javascript"), (".wasm", "application/wasm")):
            mimetypes.add_type(kind, ending)
        return _Front("/", _Files(directory=page, html=True))

    async def show_docs(request: Request) -> Response:
        return RedirectResponse("docs")

    return Route("/", show_docs)
