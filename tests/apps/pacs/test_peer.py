from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from covidct.apps.pacs.peer import (
    Peer,
    Tls,
    check_title,
    is_allowed,
    is_loopback,
    parse_caller,
    parse_peer,
    to_client_context,
    to_server_context,
)
from covidct.errors import NodeError


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("PACS@127.0.0.1:4242", Peer("PACS", "127.0.0.1", 4242)),
        ("MY PACS@pacs.example:104", Peer("MY PACS", "pacs.example", 104)),
        ("PACS@[::1]:4242", Peer("PACS", "::1", 4242)),
    ],
)
def test_peers(text: str, peer: Peer) -> None:
    assert parse_peer(text) == peer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PACS",
        "PACS@host",
        "PACS@host:",
        "@host:1",
        "PACS@host:0",
        "PACS@host:65536",
        "P@::1:4",
        "P@h:1:2",
    ],
)
def test_what_is_no_peer_is_told(text: str) -> None:
    with pytest.raises(NodeError, match="not AET@host:port"):
        parse_peer(text)


@pytest.mark.parametrize("title", ["", " ", "A" * 17, "A\\B", "\N{LATIN SMALL LETTER E WITH ACUTE}", "A\nB"])
def test_what_is_no_title_is_told(title: str) -> None:
    with pytest.raises(NodeError, match="not an AE title"):
        check_title(title)


@pytest.mark.parametrize(
    ("rule", "title", "address", "allowed"),
    [
        ("CT1", "CT1", "10.0.0.1", True),
        ("CT1", "CT1 ", "10.0.0.1", True),
        ("CT1", "CT2", "10.0.0.1", False),
        ("CT1@10.0.0.1", "CT1", "10.0.0.1", True),
        ("CT1@10.0.0.1", "CT1", "10.0.0.2", False),
        ("CT1@10.0.0.0/24", "CT1", "10.0.0.200", True),
        ("@10.0.0.1", "ANY", "10.0.0.1", True),
        ("@10.0.0.1", "ANY", "::ffff:10.0.0.1", True),
        ("@::1", "ANY", "::1", True),
        ("@fe80::/10", "ANY", "fe80::1%eth0", True),
        ("@10.0.0.1", "ANY", "::1", False),
    ],
)
def test_who_may_call(rule: str, title: str, address: str, allowed: bool) -> None:
    assert is_allowed([parse_caller("NOBODY@192.0.2.1"), parse_caller(rule)], title, address) is allowed


@pytest.mark.parametrize("text", ["", "CT1@", "CT1@scanner.example", "@10.0.0.300", "A" * 17])
def test_what_is_no_caller_is_told(text: str) -> None:
    with pytest.raises(NodeError):
        parse_caller(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("pacs", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_tls_needs_files_that_fit(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(NodeError, match="not matching PEM files"):
        to_server_context(Tls(certificate=tmp_path / "cert.pem"))
    with pytest.raises(NodeError, match="not matching PEM files"):
        to_client_context(Tls(authorities=tmp_path / "cert.pem"))


def test_tls_is_off_without_a_certificate_and_checks_the_peer_by_default() -> None:
    assert to_server_context(Tls()) is None
    context = to_client_context(Tls())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
