"""Who may talk to the node, and whom it talks to: AE titles, addresses, TLS.

Knows how they are written on the command line (PS3.8 9.3.2: an AE title has 1 to 16 characters). Knows
nothing of what is sent.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covidct.errors import NodeError


@dataclass(frozen=True)
class Peer:
    """Where reports go."""

    title: str
    host: str
    port: int


@dataclass(frozen=True)
class Caller:
    """Who may send: an AE title, and the network its address must be in; None stands for any."""

    title: str | None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None


@dataclass(frozen=True)
class Tls:
    """Files for TLS, all PEM: own certificate and key, and the authorities that vouch for the others."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


def check_title(text: str) -> str:
    """Give an AE title back without outer blanks. Raises NodeError for what cannot be one."""
    title = text.strip()
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", title):
        raise NodeError(f"{text!r}: not an AE title, which has 1 to 16 ASCII characters and no backslash")
    return title


def parse_peer(text: str) -> Peer:
    """Parse `AET@host:port`, IPv6 addresses in brackets. Raises NodeError."""
    match = re.fullmatch(r"(?P<title>[^@]+)@(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:@]+)):(?P<port>\d{1,5})", text)
    if not match or not 0 < int(match["port"]) < 65536:
        raise NodeError(f"{text!r}: not AET@host:port, such as PACS@127.0.0.1:4242")
    return Peer(check_title(match["title"]), match["six"] or match["host"], int(match["port"]))


def parse_caller(text: str) -> Caller:
    """Parse `AET`, `AET@ADDRESS` or `@ADDRESS`, where 10.1.0.0/16 is an address too. Raises NodeError."""
    title, at, address = text.partition("@")
    if not title and not at:
        raise NodeError("an empty --allow lets nobody in; give AET, AET@ADDRESS or @ADDRESS")
    try:
        network = ipaddress.ip_network(address, strict=False) if at else None
    except ValueError as error:
        raise NodeError(
            f"{text!r}: {address!r} is not an address or network; host names are not looked up"
        ) from error
    return Caller(check_title(title) if title else None, network)


def is_allowed(callers: Iterable[Caller], title: str, address: str) -> bool:
    """Whether one of the callers has that title and address."""
    # An IPv4 caller of a socket for both versions comes as ::ffff:10.0.0.1.
    there = ipaddress.ip_address(address.partition("%")[0])
    there = getattr(there, "ipv4_mapped", None) or there
    return any(
        caller.title in (None, title.strip()) and (caller.network is None or there in caller.network)
        for caller in callers
    )


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Unhurried(ssl.SSLContext):
    """Shakes hands with the first bytes, not on connecting: a silent caller would hold up all others."""

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        """A socket of the connection; see `ssl.SSLContext`."""
        return super().wrap_socket(*given, **named | {"do_handshake_on_connect": False})


def to_server_context(tls: Tls) -> ssl.SSLContext | None:
    """TLS for what listens; None without a certificate. With authorities, callers must show one too.

    Raises NodeError for files that do not fit.
    """
    if tls.certificate is None:
        return None
    context = _fill(_Unhurried(ssl.PROTOCOL_TLS_SERVER), tls)
    if tls.authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def to_client_context(tls: Tls) -> ssl.SSLContext:
    """TLS towards the peer, whose certificate must be vouched for and name its host. Raises NodeError."""
    context = _fill(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)
    if tls.authorities is None:
        context.load_default_certs()
    return context


def _fill(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    # BCP 195, which PS3.15 B.9 and later profiles name: nothing below TLS 1.2.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        if tls.authorities is not None:
            context.load_verify_locations(tls.authorities)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(path) for path in (tls.certificate, tls.key, tls.authorities) if path)
        raise NodeError(f"{names}: not matching PEM files ({error}); check certificate and key") from error
    return context
