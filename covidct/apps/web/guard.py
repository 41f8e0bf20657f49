"""Who may ask, from which page, under which name and path, and what a browser may do with the answer.

Host: a name that is not the server's own is refused, so that no foreign name can be made to point at it (DNS
rebinding). Origin: a page of another site may not make a browser post here. Token: the API wants a bearer's
token (RFC 6750) where one is set; the page itself, its files and the health checks do not. Who shows many
wrong ones must wait.
Knows headers and addresses alone.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import OrderedDict
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from covidct.apps.web.problem import Problem, to_response
from covidct.apps.web.settings import Settings

# No address but the server's own, no inline code; WebAssembly may be compiled, in workers too.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PRIVATE = ("/api/", "/metrics")
# What asks these comes by address, or without any name (HTTP/1.0): load balancers. They tell nothing.
NAMELESS = ("/health", "/ready")
PORTS = {"http": 80, "https": 443}
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
WRONG, WINDOW_S = 20, 60.0  # wrong tokens of one address in a time; then none of its tokens is looked at
REMEMBERED = 10_000  # addresses


class Guard:
    """Lets a request through to `app`, or answers why not; either way with the headers for browsers."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app = app
        self._settings = settings
        self._tokens = Tokens(settings.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _with_headers(send, private=scope["path"].startswith(PRIVATE))
        try:
            self._check(scope)
        except Problem as problem:
            await to_response(problem)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _check(self, scope: Scope) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        check_framing(headers)
        if path not in NAMELESS:
            check_host(headers, self._settings)
        if scope["method"] not in SAFE:
            check_origin(headers)
        if path.startswith(PRIVATE):
            address, _ = scope.get("client") or ("", 0)
            self._tokens.check(headers, address)


class Tokens:
    """Lets in who shows the token, everybody where it is None; at most WRONG guesses a WINDOW_S an address.

    Used from the event loop alone, so it needs no lock.
    """

    def __init__(self, token: str | None):
        self._token = token
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, since when

    def check(self, headers: Headers, address: str) -> None:
        """Raise Problem: 401 for no token or another, 429 after too many."""
        if self._token is None:
            return
        if "authorization" not in headers:  # as a page that does not know yet that one is needed
            check_token(headers, self._token)
        count, since = self._wrong.get(address, (0, time.monotonic()))
        left = WINDOW_S - (time.monotonic() - since)
        if left <= 0:
            count, since = 0, time.monotonic()
        elif count >= WRONG:
            raise _guessed(left)
        try:
            check_token(headers, self._token)
        except Problem:
            self._wrong[address] = (count + 1, since)
            self._wrong.move_to_end(address)
            if len(self._wrong) > REMEMBERED:
                self._wrong.popitem(last=False)
            raise


class Rooted:
    """The server under a path of another: passes requests to `app` without `root`, such as `/covidct`.

    A proxy may take its path away before it passes a request on, or leave it; both are understood. All
    addresses that are given out are relative, so that they hold in either case. Empty for none.
    """

    def __init__(self, app: ASGIApp, root: str):
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see ASGI."""
        if self._root and scope["type"] == "http":
            if scope["path"] == self._root:  # a page's relative addresses need the slash
                await RedirectResponse(f"{self._root.rpartition('/')[2]}/")(scope, receive, send)
                return
            if scope["path"].startswith(f"{self._root}/"):
                scope["path"] = scope["path"].removeprefix(self._root)
        await self._app(scope, receive, send)


def check_framing(headers: Headers) -> None:
    """Raise Problem, and close, for a body with two ends: a proxy may take the other (RFC 9112, 11.2)."""
    if "content-length" in headers and "transfer-encoding" in headers:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "The request has both Content-Length and Transfer-Encoding; send one of them.",
            {"Connection": "close"},
        )


def check_host(headers: Headers, settings: Settings) -> None:
    """Raise Problem for a request that calls the server by a name not its own."""
    name = _to_name(headers.get("host", ""))
    if name in settings.hosts or (settings.any_address and _is_address(name)):
        return
    raise Problem(
        HTTPStatus.MISDIRECTED_REQUEST,
        "The server does not go by the name in the Host header; start it with --allow-host NAME.",
    )


def check_origin(headers: Headers) -> None:
    """Raise Problem for a request that a page of another site has made."""
    origin, host = headers.get("origin"), headers.get("host", "")
    # Without an Origin it is no page at all, but a program; unless the browser says otherwise.
    if origin is None and headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
        return
    if origin is not None and _is_same(origin, host):
        return
    raise Problem(
        HTTPStatus.FORBIDDEN,
        f"A page of another site asks: its Origin is {_quote(origin)}, the Host that it asked for is "
        f"{_quote(host)}. Open the page that is served here; a proxy in between must pass the name on, as "
        "nginx does with: proxy_set_header Host $http_host;",
    )


def check_token(headers: Headers, token: str) -> None:
    """Raise Problem where the token is missing or another."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    # By bytes, and in the same time whether the first letter differs or the last.
    if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode()):
        return
    raise Problem(
        HTTPStatus.UNAUTHORIZED,
        "A token is needed, in the header 'Authorization: Bearer TOKEN'; ask whoever runs the server.",
        {"WWW-Authenticate": 'Bearer realm="covidct"'},
    )


def _guessed(left: float) -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"{WRONG} wrong tokens came from this address; try again in a minute, with the right one.",
        {"Retry-After": str(int(left) + 1)},
    )


def _to_name(host: str) -> str:
    """The host without its port, in lower case; an IPv6 address without its brackets. Empty for nonsense."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_same(origin: str, host: str) -> bool:
    """Whether an origin is what the server was called by; its scheme's own port may be named or not."""
    try:
        page = urlsplit(origin)
        called = urlsplit(f"{page.scheme}://{host}")
        own = PORTS[page.scheme]
        return bool(page.hostname) and (
            (page.hostname, page.port or own) == (called.hostname, called.port or own)
        )
    except (ValueError, KeyError):
        return False


def _quote(value: str | None) -> str:
    """What a header said, short enough to be shown."""
    return "not given" if value is None else ascii(value[:100])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send, *, private: bool) -> Send:
    """Send that adds what browsers are told; answers of the API are kept in no cache."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store" if private else "no-cache")
        await send(message)

    return send_more
