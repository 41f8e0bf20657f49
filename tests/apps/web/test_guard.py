from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from covidct.apps.web import guard
from covidct.apps.web.guard import POLICY, WRONG, Tokens, check_host, check_origin, check_token
from covidct.apps.web.problem import Problem
from covidct.apps.web.settings import Settings
from services.servers import LESIONS, client, files, make_server

TOKEN = "a token for the tests"
OPEN = Settings(hosts=("localhost", "clinic-pc"), any_address=True)


def status_of(check: object, headers: dict[str, str], *others: object) -> int:
    assert callable(check)
    try:
        check(Headers(headers), *others)
    except Problem as problem:
        return problem.status.value
    return 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("localhost.:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:8000@localhost", 200),  # the name is localhost; no browser sends it
        ("localhost@evil.example", 421),
        ("10.0.0.9", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_only_the_servers_own_names_are_answered(host: str, status: int) -> None:
    assert status_of(check_host, {"host": host}, Settings()) == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("10.0.0.9:8000", 200), ("[fe80::1]", 200), ("clinic-pc", 200), ("evil.example", 421)],
)
def test_on_a_network_numeric_addresses_pass_too(host: str, status: int) -> None:
    """A foreign name can be made to point here; an address cannot be forged in the Host header."""
    assert status_of(check_host, {"host": host}, OPEN) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "https://localhost:8000"}, 200),  # a proxy speaks TLS for it
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
def test_pages_of_other_sites_may_not_post(headers: dict[str, str], status: int) -> None:
    assert status_of(check_origin, {"host": "localhost:8000"} | headers) == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://ct.example", "ct.example:443", 200),
        ("https://ct.example:443", "CT.example", 200),
        ("http://ct.example", "ct.example:80", 200),
        ("https://ct.example:8443", "ct.example:8443", 200),
        ("https://ct.example:8443", "ct.example", 403),
        ("https://ct.example", "ct.example:80", 403),
        ("https://ct.example", "127.0.0.1:8000", 403),
        ("ftp://ct.example", "ct.example", 403),
        ("https://ct.example", "[", 403),
    ],
)
def test_origins_with_and_without_their_own_port(origin: str, host: str, status: int) -> None:
    assert status_of(check_origin, {"host": host, "origin": origin}) == status


def test_a_foreign_origin_is_told_what_to_set_in_a_proxy() -> None:
    with pytest.raises(Problem) as caught:
        check_origin(Headers({"host": "127.0.0.1:8000", "origin": "https://ct.example"}))
    for said in ("'https://ct.example'", "'127.0.0.1:8000'", "proxy_set_header Host $http_host;"):
        assert said in caught.value.detail


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_load_balancers_need_not_know_the_name(tiny_bundle: Path, path: str) -> None:
    with client(make_server(tiny_bundle)) as caller:
        assert caller.get(path, headers={"host": "10.0.0.1"}).status_code == 200
        assert caller.get("/api/model", headers={"host": "10.0.0.1"}).status_code == 421


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer", 401),
        ("", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer \xff\xfe", 401),
    ],
)
def test_the_token_is_asked_for(shown: str, status: int) -> None:
    assert status_of(check_token, {"authorization": shown}, TOKEN) == status


def test_who_guesses_must_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    tokens = Tokens(TOKEN)

    def status(shown: str | None, address: str = "10.0.0.1") -> int:
        headers = {} if shown is None else {"authorization": f"Bearer {shown}"}
        return status_of(tokens.check, headers, address)

    assert [status(None) for _ in range(2 * WRONG)] == [401] * (2 * WRONG), "no token is no guess"
    assert [status(f"wrong{at}") for at in range(WRONG)] == [401] * WRONG
    with pytest.raises(Problem, match="20 wrong tokens") as refused:
        tokens.check(Headers({"authorization": "Bearer wrong"}), "10.0.0.1")
    assert refused.value.headers == {"Retry-After": "61"}
    assert status(TOKEN) == 429, "or one could go on guessing"
    assert status(TOKEN, "10.0.0.2") == 200
    now += guard.WINDOW_S + 1
    assert status("wrong") == 401
    assert status(TOKEN) == 200


def test_wrong_tokens_of_many_addresses_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REMEMBERED", 10)
    tokens = Tokens(TOKEN)
    for at in range(100):
        with pytest.raises(Problem):
            tokens.check(Headers({"authorization": "Bearer wrong"}), f"10.0.0.{at}")
    assert len(tokens._wrong) == 10


def test_a_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(*pair: bytes) -> bool:
        compared.append(pair)
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    with pytest.raises(Problem):
        check_token(Headers({"authorization": "Bearer shown"}), TOKEN)
    assert compared == [(b"shown", TOKEN.encode())]


def test_the_api_wants_the_token_and_the_rest_does_not(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle, token=TOKEN)) as caller:
        for path in ("/api/model", "/metrics", "/api/jobs/x", "/api/nothing"):
            answer = caller.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        for path in ("/health", "/ready", "/openapi.json", "/docs"):
            assert caller.get(path).status_code == 200, path
        assert caller.post("/api/predict", files=files(LESIONS)).status_code == 401
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert caller.post("/api/predict", files=files(LESIONS), headers=known).status_code == 200


def test_every_answer_tells_browsers_what_they_may(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle)) as caller:
        for path in ("/health", "/docs", "/nothing", "/api/model"):
            headers = caller.get(path).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")
        refused = caller.get("/nothing", headers={"host": "evil.example"})
        assert refused.status_code == 421
        assert refused.headers["content-security-policy"] == POLICY


def test_the_policy_names_no_other_site() -> None:
    assert "http" not in POLICY
    assert "*" not in POLICY
    assert "unsafe-inline" not in POLICY


def test_a_page_of_another_site_is_refused_before_its_upload_is_read(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle)) as caller:
        answer = caller.post("/api/predict", files=files(LESIONS), headers={"origin": "http://evil.example"})
        assert answer.status_code == 403
        assert caller.delete("/api/jobs/x", headers={"origin": "null"}).status_code == 403
