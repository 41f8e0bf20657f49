from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from covidct.apps.web import access_log
from covidct.apps.web.access_log import AccessLog, Turns
from covidct.apps.web.counters import Counters
from covidct.apps.web.log import LOGGER
from covidct.apps.web.upload_answers import Reading
from covidct.types import ModelUsed
from services.servers import BRIGHT, client, files, make_server

SECRET = "Mustermann^Erika"


def test_lines_hold_routes_and_no_names(tiny_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    with client(make_server(tiny_bundle)) as caller:
        caller.post("/api/predict", files=[("files", (SECRET, BRIGHT))])
        caller.post("/api/predict", files=[("files", (SECRET, BRIGHT))], params={SECRET: SECRET})
        job = caller.post("/api/jobs", files=[("files", (SECRET, b"nothing"))]).json()
        caller.get(f"/api/jobs/{job['id']}")
        caller.get(f"/{SECRET}", headers={"user-agent": SECRET})
        caller.request(SECRET, "/health")
    lines = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert any(line.startswith("POST /api/predict 200 ") and line.endswith(" ms") for line in lines)
    assert any(line.startswith("POST /api/predict 422 ") for line in lines)
    assert any(line.startswith("GET /api/jobs/{id} 200 ") for line in lines)
    assert any(line.startswith("GET other 404 ") for line in lines)
    assert SECRET not in caplog.text
    assert job["id"] not in caplog.text


def test_a_failure_is_answered_and_the_server_stays_up(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    server = make_server(tiny_bundle)
    with client(server, raise_server_exceptions=False) as caller:
        with monkeypatch.context() as broken:
            broken.setattr(Reading, "pieces", lambda self: iter(fail, None))
            answer = caller.post("/api/predict", files=files(BRIGHT))
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert SECRET not in answer.text
        assert "RuntimeError at fail:" in caplog.text
        assert SECRET not in caplog.text
        assert server.api.memory.held == 0
        assert caller.post("/api/predict", files=files(BRIGHT)).status_code == 200


def test_what_fails_outside_of_the_router_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError(SECRET)

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(AccessLog(broken, Counters(model=ModelUsed("m", "float"), gauges={}))(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 500
    assert SECRET not in caplog.text


def test_too_many_requests_at_once_are_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "REQUESTS", 0)
    counters = Counters(model=ModelUsed("m", "float"), gauges={})
    caller = TestClient(AccessLog(PlainTextResponse("fine"), counters))
    busy = caller.get("/api/model")
    assert (busy.status_code, busy.headers["content-type"]) == (503, "application/problem+json")
    assert int(busy.headers["retry-after"]) > 0
    assert caller.get("/health").text == "fine"


async def ask(app: AccessLog, path: str) -> None:
    async def send(message: object) -> None:
        pass

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)


@pytest.mark.parametrize("check", ["/health", "/ready", "/covidct/health"])
def test_checks_begin_before_requests_that_came_earlier(check: str) -> None:
    begun: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["path"])

    async def ask_all(app: AccessLog) -> None:
        await asyncio.gather(*(ask(app, path) for path in (*earlier, check)))

    earlier = [f"/{number}" for number in range(20)]
    asyncio.run(ask_all(AccessLog(note, Counters(model=ModelUsed("m", "float"), gauges={}))))
    assert begun == [check, *earlier]


def test_one_request_begins_in_a_turn() -> None:
    async def count_begun() -> list[int]:
        turns, seen = Turns(), []
        tasks = [asyncio.create_task(turns.wait()) for _ in range(3)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            seen.append(sum(task.done() for task in tasks))
        return seen

    assert sorted(set(asyncio.run(count_begun()))) == [0, 1, 2, 3]


def test_one_that_is_given_up_holds_up_no_other() -> None:
    async def give_up() -> None:
        turns = Turns()
        lost, others = asyncio.create_task(turns.wait()), [asyncio.create_task(turns.wait()) for _ in "ab"]
        await asyncio.sleep(0)  # all three wait
        lost.cancel()
        await asyncio.wait_for(asyncio.gather(*others), 5)
        assert lost.cancelled()

    asyncio.run(give_up())
