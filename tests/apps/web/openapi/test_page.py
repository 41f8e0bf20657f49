from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from covidct.apps.web.openapi.document import to_document
from covidct.apps.web.openapi.page import to_page
from covidct.apps.web.settings import Settings
from services.servers import client, make_server

DOCUMENT = to_document(Settings(), ["balanced", "<b>"])


class Links(HTMLParser):
    """Ids, and what is linked to."""

    def __init__(self, page: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def test_the_page_tells_of_every_address() -> None:
    page = to_page(DOCUMENT)
    for path, item in DOCUMENT["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            assert f"{method.upper()} {path}" in page
    assert "<td>one of lung, soft, bone. Takes Hounsfield units" in page


def test_the_page_needs_no_other_site_and_no_script() -> None:
    links = Links(to_page(DOCUMENT))
    assert not [link for link in links.links if link.startswith("/") or ":" in link], "relative ones alone"
    assert not links.tags & {"script", "iframe", "img", "style"}
    assert not re.search(r"\son\w+=|style=", to_page(DOCUMENT))


def test_links_lead_somewhere() -> None:
    links = Links(to_page(DOCUMENT))
    assert len(set(links.ids)) == len(links.ids)
    assert {link[1:] for link in links.links if link.startswith("#")} <= set(links.ids)


def test_what_the_document_holds_is_escaped() -> None:
    page = to_page(DOCUMENT)
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_a_token_is_told_of_where_there_is_one() -> None:
    assert "Bearer TOKEN" not in to_page(DOCUMENT)
    assert "Bearer TOKEN" in to_page(to_document(Settings(token="x" * 16), ["balanced"]))


def test_the_page_is_served_with_its_style(tiny_bundle: Path) -> None:
    with client(make_server(tiny_bundle)) as caller:
        assert caller.get("/docs").headers["content-type"].startswith("text/html")
        assert caller.get("/docs/style.css").headers["content-type"].startswith("text/css")
