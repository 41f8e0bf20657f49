"""What is wrong with a request: a status and a sentence, answered as `application/problem+json` (RFC 9457).

Knows the form of the answer. Knows nothing of why: whoever raises a Problem says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
BROKEN = "Something failed in the server; its log says where. Try it again."


class Problem(Exception):
    """A request that is not answered; `detail` says what is wrong and what to do, in one or two sentences."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def to_response(problem: Problem) -> JSONResponse:
    """The answer that reports a problem."""
    status = problem.status
    table = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": problem.detail}
    return JSONResponse(table, status_code=status.value, headers=dict(problem.headers), media_type=MEDIA_TYPE)


async def answer_problem(request: Request, error: Exception) -> JSONResponse:
    """Turn a raised Problem, or a refusal of the router's (404, 405), into its answer."""
    if isinstance(error, Problem):
        return to_response(error)
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address; docs lists what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed here; docs lists what is.",
    }
    return to_response(Problem(status, details.get(status, error.detail), error.headers))


def busy(detail: str, *, seconds: int = 5) -> Problem:
    """503: no room at the moment; the caller may come again after so many seconds."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(seconds)})
