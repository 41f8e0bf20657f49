"""`covidct serve`: from options to a server that runs until it is told to stop.

Knows sockets, signals, logs and what may be open to a network. The only home of uvicorn.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import socket
import ssl
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TextIO

import uvicorn

from covidct.apps.web.api import Api
from covidct.apps.web.connections import Connection
from covidct.apps.web.log import LOGGER
from covidct.apps.web.server import Server
from covidct.apps.web.settings import MIB, Serving, Settings
from covidct.errors import ServeError
from covidct.inference.classifier import Classifier
from covidct.results.formats import name_model
from covidct.types import DISCLAIMER, ModelChoice

SHORTEST_TOKEN = 16
MAKE_ONE = "auto"
UVICORN = "uvicorn"


def run_serve(serving: Serving, choice: ModelChoice) -> None:
    """Serve until SIGTERM or SIGINT. Raises ServeError for what would not be safe, or cannot be."""
    token = check_token(serving.token)
    check_reach(serving.host, token, no_auth=serving.no_auth)
    check_pair(serving.certificate, serving.key)
    settings = to_settings(serving.host, serving.names, token)
    settings = replace(settings, body_bytes=serving.upload_mb * MIB, root=check_root(serving.root))
    classifier = Classifier.choose(choice)
    server = Server(classifier, settings)
    listener = _listen(serving.host, serving.port)
    log = _set_up_logs()
    scheme = "http" if serving.certificate is None else "https"
    log.info("%s at %s", name_model(classifier.model), _to_url(scheme, listener))
    log.info(DISCLAIMER)
    config = uvicorn.Config(
        server.app,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        # Behind a proxy or not, nobody's word is taken for where a request comes from.
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.grace_s),
        ssl_certfile=serving.certificate,
        ssl_keyfile=serving.key,
    )
    _Server(config, server.api).run(sockets=[listener])
    log.info("stopped")


class _Server(uvicorn.Server):
    """Stops at the first signal once nobody waits for an answer any more, at the second at once."""

    def __init__(self, config: uvicorn.Config, api: Api):
        super().__init__(config)
        self._api = api
        self._ends = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._api.stopping:
            super().handle_exit(sig, frame)
            return
        self._api.stopping = True
        self._ends = time.monotonic() + self._api.settings.grace_s
        logging.getLogger(LOGGER).info("stopping; work that has begun is finished first")

    async def on_tick(self, counter: int) -> bool:
        if self._api.stopping and (self._api.is_idle() or time.monotonic() > self._ends):
            self.should_exit = True
        return await super().on_tick(counter)


def check_pair(certificate: Path | None, key: Path | None) -> None:
    """Raise ServeError where a certificate and a key cannot be read, or do not belong together."""
    if certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # (ssl.SSLError is one)
        raise ServeError(
            f"{certificate}, {key}: not a certificate and its key in PEM ({error}); give a pair that belongs "
            "together, and see that --certificate and --key are not swapped"
        ) from error


def check_token(token: str | None) -> str | None:
    """The token to ask for; a new one for `auto`, shown once. Raises ServeError for one too short."""
    if token == MAKE_ONE:
        token = secrets.token_urlsafe(24)
        sys.stderr.write(f"token: {token}\n")
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ServeError(
            f"the token must have {SHORTEST_TOKEN} characters or more, all of them ASCII; "
            f"--token {MAKE_ONE} makes one"
        )
    return token


def check_root(path: str) -> str:
    """The path without a slash at its end. Raises ServeError for what is no path."""
    root = path.rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", root, re.ASCII):
        raise ServeError(f"--root-path {path!r} is not a path; give one such as /covidct")
    return root


def check_reach(host: str, token: str | None, *, no_auth: bool) -> None:
    """Raise ServeError where other machines could ask, and nobody said who may."""
    if not _is_loopback(host) and token is None and not no_auth:
        raise ServeError(
            f"--host {host} lets other machines in: add --token {MAKE_ONE}, or --no-auth to let in everybody"
        )


def to_settings(host: str, names: Sequence[str], token: str | None) -> Settings:
    """Under which names the server answers: this machine's own, and those that are given."""
    own = {"localhost", "127.0.0.1", "::1", host.lower()}
    if not _is_loopback(host):
        machine = socket.gethostname().lower()
        own |= {machine, machine.partition(".")[0]}
    hosts = own | {name.lower().rstrip(".") for name in names}
    return Settings(hosts=tuple(sorted(hosts)), any_address=not _is_loopback(host), token=token)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    """A socket to listen on; where `port` is 0 the system chooses one. Raises ServeError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Not dual: an IPv6 address is that address, and nothing else.
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ServeError(
            f"{host} port {port} cannot be listened on ({error.strerror or error}); is it in use? "
            "--port takes another, 0 any free one"
        ) from error
    listener.set_inheritable(True)
    return listener


def _to_url(scheme: str, listener: socket.socket) -> str:
    """An address that can be typed elsewhere, too: for all of a machine's addresses, its name."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _set_up_logs() -> logging.Logger:
    """Lines on standard error; of what libraries say, only who and how grave.

    pydicom's warnings quote values, and values may name a patient.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for name, level in ((LOGGER, logging.INFO), (UVICORN, logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = False
    quiet = logging.StreamHandler()
    quiet.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(levelname)s", "%Y-%m-%d %H:%M:%S"))
    quiet.setLevel(logging.ERROR)
    logging.getLogger().addHandler(quiet)
    warnings.showwarning = _pass_over
    return logging.getLogger(LOGGER)


def _pass_over(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What takes a warning's text nowhere; its kind goes to the log of who wants to see it."""
    logging.getLogger(LOGGER).debug("%s", category.__name__)
