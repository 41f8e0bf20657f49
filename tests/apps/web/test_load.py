"""A little of what studies/load.py does much of: many callers, slow ones, liars, hidden requests, guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import load
from load_client import find_statuses, to_ambiguous, to_request
from services.servers import Process, serving

CALLERS, REQUESTS = 40, 240


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Process]:
    with serving(tiny_bundle, env={"COVIDCT_TOKEN": load.TOKEN}) as running:
        yield running


def test_under_load_each_is_answered_and_none_with_500(server: Process) -> None:
    done = asyncio.run(
        load.put_under_load(server.port, server.process.pid, requests=REQUESTS, callers=CALLERS)
    )
    assert not done.lost
    asked = [name for name in done.answers if name not in ("health", "wrong token")]
    assert sum(len(done.answers[name]) for name in asked) == REQUESTS
    for name, allowed in (
        ("page", {200, 503}),
        ("model", {200, 503}),
        ("unknown job", {404, 503}),
        ("no slice", {200, 503}),
        ("upload", {200, 503}),
        ("wrong token", {401, 429}),
        ("health", {200}),
    ):
        assert {one.status for one in done.answers[name]} <= allowed, name
    busy = [one for answers in done.answers.values() for one in answers if one.status == 503]
    assert all(one.headers["retry-after"].isdecimal() for one in busy)
    assert all(one.headers["content-type"] == "application/problem+json" for one in busy)
    server.process.poll()
    assert server.process.returncode is None
    assert "500" not in [line.split()[-3] for line in server.lines if line.rstrip().endswith(" ms")]


@pytest.mark.parametrize("name", list(to_ambiguous()))
def test_a_hidden_request_is_not_answered(server: Process, name: str) -> None:
    data = to_ambiguous(load.ALLOWED)[name]
    statuses = asyncio.run(find_statuses(server.port, data))
    assert len(statuses) <= 1
    assert set(statuses) <= {400}


def test_two_plain_requests_on_one_line_are_both_answered(server: Process) -> None:
    both = to_request("/health") + to_request("/nothing")
    assert asyncio.run(find_statuses(server.port, both)) == [200, 404]
