"""What is logged of a request: method, route, status and how long it took; when it begins, and what is done
when it fails.

Never an address, a query, a file's name or the text of an exception: any of them may name a patient.
Knows ASGI.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from http import HTTPMethod, HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from covidct.apps.web.counters import Counters
from covidct.apps.web.log import LOGGER, log_error
from covidct.apps.web.problem import BROKEN, Problem, busy, to_response

# Paths end with these, whatever root a proxy has put before them.
HEALTH = "/health"
UNQUEUED = (HEALTH, "/ready")  # who watches the server waits for nobody
REQUESTS = 200  # at once; more are answered with 503, but for the health check
LOST = 499  # the other side went before there was an answer; no status of HTTP's, but what proxies log


class AccessLog:
    """Outermost: passes requests to `app`, logs and counts them, and answers where `app` fails."""

    def __init__(self, app: ASGIApp, counters: Counters):
        self._app = app
        self._counters = counters
        self._log = logging.getLogger(LOGGER)
        self._running = 0
        self._turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        if not scope["path"].endswith(UNQUEUED):
            await self._turns.wait()
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
            if self._running > REQUESTS and not scope["path"].endswith(HEALTH):
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


class Turns:
    """Requests begin in the order in which they came, one in each turn of the event loop.

    So a turn stays short however many come at once, and what does not wait here is soon answered. Used from
    one event loop, so it needs no lock.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Until it is this one's turn."""
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        if len(self._waiting) == 1:  # otherwise the next turn is asked for already
            loop.call_soon(self._begin, loop)
        await mine

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        first = self._waiting.popleft()
        if not first.done():  # cancelled, where the server is stopped
            first.set_result(None)
        if self._waiting:
            loop.call_soon(self._begin, loop)


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
