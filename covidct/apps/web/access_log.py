"""What is logged of a request: method, route, status and how long it took; and what is done when one fails.

Never an address, a query, a file's name or the text of an exception: any of them may name a patient.
Knows ASGI.
"""

from __future__ import annotations

import logging
import time
from http import HTTPMethod, HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from covidct.apps.web.counters import Counters
from covidct.apps.web.log import LOGGER, log_error
from covidct.apps.web.problem import BROKEN, Problem, busy, to_response

REQUESTS = 200  # at once; more are answered with 503, but for the health check
LOST = 499  # the other side went before there was an answer; no status of HTTP's, but what proxies log


class AccessLog:
    """Outermost: passes requests to `app`, logs and counts them, and answers where `app` fails."""

    def __init__(self, app: ASGIApp, counters: Counters):
        self._app = app
        self._counters = counters
        self._log = logging.getLogger(LOGGER)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = await self._answer(scope, receive, send)
        seconds = time.perf_counter() - started
        method, route = _to_method(scope["method"]), _to_route(scope)
        self._counters.count_request(method, route, status=status, seconds=seconds)
        self._log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Let `app` answer; gives the status."""
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._running += 1
        try:
            if self._running > REQUESTS and scope["path"] != "/health":
                await to_response(busy(f"{REQUESTS} requests are open already."))(scope, receive, note)
            else:
                await self._app(scope, receive, note)
        except ClientDisconnect:
            return LOST
        except Exception as error:  # broad: a request that fails must not end the server
            log_error(error)
            # Starlette answers first and raises then.
            if not status:
                await to_response(_broken())(scope, receive, note)
        finally:
            self._running -= 1
        return status


async def answer_failure(request: Request, error: Exception) -> Response:
    """The answer where something failed; Starlette raises the error afterwards."""
    return to_response(_broken())


def _broken() -> Problem:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, BROKEN)


def _to_route(scope: Scope) -> str:
    """The pattern of the route, or `other`: so that counters stay few and logs without ids."""
    return getattr(scope.get("route"), "path", None) or ("/" if scope["path"] == "/" else "other")


def _to_method(method: str) -> str:
    return method if method in HTTPMethod.__members__ else "other"
