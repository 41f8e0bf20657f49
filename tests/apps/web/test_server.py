from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urljoin

import pytest

from covidct.apps.web import server as module
from covidct.apps.web.server import Server
from covidct.apps.web.settings import Settings
from covidct.inference.classifier import Classifier
from services.servers import BRIGHT, client, files, make_server


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "texts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>covidct</title>", encoding="utf-8")
    (folder / "app.js").write_text("export const one = 1;", encoding="utf-8")
    (folder / "texts" / "en.json").write_text("{}", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return folder


def test_the_page_and_its_files_are_served(tiny_bundle: Path, page: Path) -> None:
    server = Server(Classifier.load(tiny_bundle, threads=1), page=page)
    with client(server) as caller:
        front = caller.get("/")
        assert front.status_code == 200
        assert front.headers["content-type"].startswith("text/html")
        # Modules and workers start only with these types.
        assert caller.get("/app.js").headers["content-type"].startswith("text/javascript")
        assert caller.get("/texts/en.json").json() == {}
        assert caller.get("/health").json() == {"status": "ok"}
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/texts/../../secret.txt"):
            answer = caller.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
        assert caller.post("/").status_code == 405


def test_without_a_page_the_front_leads_to_the_api(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle)) as caller:
        assert caller.get("/", follow_redirects=False).headers["location"] == "docs"
        assert caller.get("/docs/", follow_redirects=False).status_code == 404, "no redirect to http"


def test_under_a_path_of_a_proxy(tiny_bundle: Path, page: Path) -> None:
    """Whether the proxy takes the path away or leaves it."""
    server = Server(Classifier.load(tiny_bundle, threads=1), Settings(root="/a/ct"), page=page)
    with client(server) as caller:
        for root in ("", "/a/ct"):
            assert caller.get(f"{root}/").status_code == 200
            assert caller.get(f"{root}/ready").json() == {"status": "ready"}
            job = caller.post(f"{root}/api/jobs", files=files(BRIGHT))
            at = urljoin(str(job.url), job.headers["location"])
            assert caller.get(at).json()["id"] == job.json()["id"]
            assert caller.get(urljoin(str(job.url), job.json()["results_url"])).status_code == 200
            status = caller.get(at)
            assert caller.get(urljoin(at, status.json()["results_url"])).status_code == 200
            cancelled = caller.post(f"{at}/cancel")
            results = urljoin(f"{at}/cancel", cancelled.json()["results_url"])
            assert caller.get(results).status_code == 200
        assert caller.get("/a/ct", follow_redirects=False).headers["location"] == "ct/"
        assert caller.get("/a/ctx/ready").status_code == 404


@pytest.mark.parametrize("has_page", [False, True])
def test_other_methods_are_refused_by_name(tiny_bundle: Path, page: Path, has_page: bool) -> None:
    """With a page, too, whose files take addresses of every kind."""
    server = Server(Classifier.load(tiny_bundle, threads=1), page=page if has_page else Path("none"))
    with client(server) as caller:
        for method in ("GET", "OPTIONS"):
            answer = caller.request(method, "/api/predict")
            assert answer.status_code == 405
            assert answer.headers["allow"] == "POST"
            assert method in answer.json()["detail"]
        jobs = caller.put("/api/jobs/x")
        assert jobs.status_code == 405
        assert set(jobs.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}
        unknown = caller.get("/api/nothing")
        assert unknown.status_code == 404
        assert unknown.headers["content-type"] == "application/problem+json"


def test_old_jobs_are_forgotten_though_nobody_asks(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.02)
    server = make_server(tiny_bundle, keep_s=0.05)
    with client(server) as caller:
        caller.post("/api/jobs", files=files(BRIGHT))
        caller.portal.call(asyncio.sleep, 0.5)  # type: ignore[union-attr]
        assert len(server.api.jobs) == 0
        assert server.api.memory.held == 0


def test_memory_is_given_back_though_nobody_asks(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[None] = []
    monkeypatch.setattr(module, "SWEEP_S", 0.02)
    monkeypatch.setattr(module, "give_back_memory", lambda: given_back.append(None))
    with client(make_server(tiny_bundle)) as caller:
        caller.portal.call(asyncio.sleep, 0.2)  # type: ignore[union-attr]
    assert len(given_back) > 1
