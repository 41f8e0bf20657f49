"""What `covidct node` does with its options: the log, signals, TLS, and a node that runs.

Knows the command line's values and the process. Knows nothing of DICOM.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from covidct.apps.pacs.answer import Kinds
from covidct.apps.pacs.node import Node, NodeOptions, check_options
from covidct.apps.pacs.peer import (
    Tls,
    check_title,
    parse_caller,
    parse_peer,
    to_client_context,
    to_server_context,
)
from covidct.apps.pacs.request import NodeRequest
from covidct.apps.pacs.spool import Spool
from covidct.errors import NodeError
from covidct.inference.classifier import Classifier
from covidct.types import ModelChoice

MEGABYTE = 1024 * 1024


def run_node(asked: NodeRequest, choice: ModelChoice) -> int:
    """Serve until SIGTERM or Ctrl-C, with `once` until all is done; the exit code. Raises NodeError."""
    options = to_options(asked)
    check_options(options)
    start_log()
    classifier = Classifier.choose(choice)
    with Spool(asked.spool or default_spool(), reserve=asked.reserve * MEGABYTE) as spool:
        node = Node(options, spool, classifier)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: node.stop())
        return node.run()


def to_options(asked: NodeRequest) -> NodeOptions:
    """The options, parsed. Raises NodeError for options that make no sense."""
    tls = Tls(asked.tls_cert, asked.tls_key, asked.tls_ca)
    if tls.certificate is None and tls.key is not None:
        raise NodeError(f"{tls.key}: a key without --tls-cert; give both")
    kinds = Kinds(report=not asked.no_report, picture=not asked.no_picture, segmentation=asked.seg)
    if kinds == Kinds(report=False, picture=False):
        raise NodeError("--no-report and --no-picture leave nothing to send; drop one of them, or add --seg")
    return NodeOptions(
        title=check_title(asked.ae_title),
        peer=parse_peer(asked.peer),
        host=asked.host,
        port=asked.port,
        callers=tuple(parse_caller(text) for text in asked.allow),
        settle=asked.settle,
        quiet=max(asked.quiet, asked.settle),
        kinds=kinds,
        once=asked.once,
        max_associations=asked.max_associations,
        server_tls=to_server_context(tls),
        client_tls=to_client_context(tls) if asked.peer_tls else None,
    )


def default_spool() -> Path:
    """Where programs keep their state: $XDG_STATE_HOME/covidct/spool, by default in ~/.local/state.

    Raises NodeError where there is neither.
    """
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise NodeError("no home directory, so no place for the spool; name a folder with --spool") from error
    return Path(state) / "covidct" / "spool"


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
