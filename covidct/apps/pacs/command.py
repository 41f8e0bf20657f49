"""What `covidct node` does with its options: the log, signals, TLS, and a node that runs.

Knows the command line's values and the process. Knows nothing of DICOM.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from covidct.apps.pacs.node import Node, NodeOptions, check_options
from covidct.apps.pacs.peer import (
    Tls,
    check_title,
    parse_caller,
    parse_peer,
    to_client_context,
    to_server_context,
)
from covidct.apps.pacs.spool import Spool
from covidct.errors import NodeError
from covidct.inference.classifier import Classifier
from covidct.types import Precision

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Given:
    """The options as they were given; times in seconds, `reserve` in MB."""

    peer: str
    title: str
    host: str
    port: int
    allow: Sequence[str]
    spool: Path | None
    settle: float
    quiet: float
    reserve: int
    picture: bool
    segmentation: bool
    once: bool
    tls: Tls
    peer_tls: bool
    model: Path | None
    precision: Precision
    operating_point: str | None
    threads: int | None


def run_node(given: Given) -> int:
    """Serve until SIGTERM or Ctrl-C, with `once` until all is done; the exit code. Raises NodeError."""
    options = to_options(given)
    check_options(options)
    start_log()
    classifier = Classifier.load(
        given.model,
        precision=given.precision,
        operating_point=given.operating_point,
        threads=given.threads,
    )
    with Spool(given.spool or default_spool(), reserve=given.reserve * MEGABYTE) as spool:
        node = Node(options, spool, classifier)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: node.stop())
        return node.run()


def to_options(given: Given) -> NodeOptions:
    """The options, parsed. Raises NodeError for what cannot be meant."""
    if given.tls.certificate is None and given.tls.key is not None:
        raise NodeError(f"{given.tls.key}: a key without --tls-cert; give both")
    return NodeOptions(
        title=check_title(given.title),
        peer=parse_peer(given.peer),
        host=given.host,
        port=given.port,
        callers=tuple(parse_caller(text) for text in given.allow),
        settle=given.settle,
        quiet=max(given.quiet, given.settle),
        picture=given.picture,
        segmentation=given.segmentation,
        once=given.once,
        server_tls=to_server_context(given.tls),
        client_tls=to_client_context(given.tls) if given.peer_tls else None,
    )


def default_spool() -> Path:
    """Where programs keep their state: $XDG_STATE_HOME/covidct/spool, by default in ~/.local/state."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "covidct" / "spool"


def start_log() -> None:
    """Log to standard error, the node's own lines alone.

    Libraries log and warn with values of the headers that they read, so they are not heard.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = logging.getLogger("covidct.node")
    own.handlers, own.propagate = [handler], False
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name in ("py.warnings", "pydicom", "pynetdicom", "highdicom"):
        others = logging.getLogger(name)
        others.handlers, others.propagate = [logging.NullHandler()], False
