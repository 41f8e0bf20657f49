"""`covidct node`: a DICOM node beside a PACS: takes CT series, answers, sends the reports back.

    network -> spool -> arrivals -> classifier -> outbox -> peer

Knows the order of the steps and when each is due; each is a module beside this one. Its log names series by a
key that reveals nothing about them (`spool.to_key`), and callers by AE title and address.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext
from threading import Event, Thread

from pynetdicom.transport import ThreadedAssociationServer

from covidct.apps.pacs.answer import Kinds, answer_series
from covidct.apps.pacs.arrivals import Arrivals
from covidct.apps.pacs.counts import Counts
from covidct.apps.pacs.deliver import Delivery
from covidct.apps.pacs.peer import Caller, Peer, is_loopback
from covidct.apps.pacs.receive import LIMIT, Reception, to_entity
from covidct.apps.pacs.send import send
from covidct.apps.pacs.spool import Spool
from covidct.errors import CovidctError, NodeError, log_traceback
from covidct.images.decoding.heap import give_back_memory
from covidct.inference.classifier import Classifier
from covidct.results.formats import name_model

LOG = logging.getLogger("covidct.node")
TICK_S = 0.1
TIDY_S = 5.0
IDLE_S = 60.0
ATTEMPTS = 3  # how often a series is tried before it is set aside


@dataclass(frozen=True)
class NodeOptions:
    """How a node is run. Times are in seconds; `callers` empty lets in all who can connect."""

    title: str
    peer: Peer
    host: str = "127.0.0.1"
    port: int = 11112
    callers: tuple[Caller, ...] = ()
    settle: float = 30.0
    quiet: float = 60.0
    kinds: Kinds = field(default_factory=Kinds)
    once: bool = False
    max_associations: int = LIMIT
    server_tls: SSLContext | None = field(default=None, repr=False)
    client_tls: SSLContext | None = field(default=None, repr=False)


def check_options(options: NodeOptions) -> None:
    """Raise NodeError for a node that anybody on the network could fill with images."""
    if not is_loopback(options.host) and not options.callers:
        raise NodeError(
            f"{options.host}: a node that others can reach needs --allow AET@ADDRESS, once for each caller"
        )


class Node:
    """A running node. `run` blocks until `stop` is called or, with `once`, all is done."""

    def __init__(self, options: NodeOptions, spool: Spool, classifier: Classifier):
        check_options(options)
        self.counts = Counts()
        self._options, self._spool, self._classifier = options, spool, classifier
        self._model = name_model(classifier.model)
        self._arrivals = Arrivals(settle=options.settle, quiet=options.quiet)
        self._reception = Reception(
            spool, self._arrivals, self.counts, callers=options.callers, limit=options.max_associations
        )
        self._stopping = Event()

    def run(self) -> int:
        """Serve; the exit code: 0, with `once` 1 where anything was refused or set aside.

        Raises NodeError where the port cannot be had.
        """
        left = self._spool.unanswered(model=self._model)
        for key in left:
            self._arrivals.arrive(key, now=time.monotonic())
        had_work = bool(left or self._spool.parcels())
        server = self._listen()
        sender = Thread(target=self._send_until_stopped, name="sender")
        sender.start()
        LOG.info("listening as %s on %s: %s", self._options.title, _name_port(server), self._model)
        try:
            self._work_until_stopped(had_work=had_work)
        finally:
            self._stopping.set()
            server.shutdown()
            server.server_close()
            sender.join()
            self._tidy()
            LOG.info("stopped: %s", self.counts.to_line())
        return self._exit_code()

    def stop(self) -> None:
        """Have `run` end; what is in the spool stays for the next time."""
        self._stopping.set()

    def _listen(self) -> ThreadedAssociationServer:
        options = self._options
        try:
            server = to_entity(options.title, idle=options.quiet + IDLE_S).start_server(
                (options.host, options.port),
                block=False,
                ssl_context=options.server_tls,
                evt_handlers=self._reception.handlers(),
            )
        except OSError as error:
            raise NodeError(
                f"{options.host}:{options.port}: cannot listen there ({error.strerror or error}); "
                "give another --host or --port"
            ) from error
        assert server is not None  # (None is for block=True)
        return server

    def _work_until_stopped(self, *, had_work: bool) -> None:
        tidied = -TIDY_S
        while not self._stopping.wait(TICK_S):
            for key in self._arrivals.take_due(now=time.monotonic()):
                self._answer(key)
            if time.monotonic() - tidied >= TIDY_S:
                self._tidy()
                tidied = time.monotonic()
            if self._options.once and self._is_done(had_work):
                return

    def _is_done(self, had_work: bool) -> bool:
        begun = self._reception.served or had_work
        return begun and not (self._reception.busy or len(self._arrivals) or self._spool.parcels())

    def _answer(self, key: str) -> None:
        """Answer for a series; whatever fails is tried again, the node goes on."""
        try:
            self._try(key)
        except Exception as error:  # broad: one bad series must not end the node
            if isinstance(error, OSError):  # a full disk, mostly; it may have room again
                with suppress(OSError):  # one that is read-only does not even let go of a file
                    self._spool.forget_attempts(key)
            log_traceback(error)
            # By its kind alone: messages of libraries may quote what is in a header.
            LOG.error("series %s: attempt failed (%s); it is tried again", key, type(error).__name__)
            self._arrivals.arrive(key, now=time.monotonic())

    def _try(self, key: str) -> None:
        """Answer for a series; after three attempts, or where it has no answer, it is set aside for people.

        Raises OSError where the spool fails.
        """
        tried = self._spool.count_attempt(key)
        if tried > ATTEMPTS:
            self._set_aside(key, f"gave up after {ATTEMPTS} attempts")
            return
        begun = time.monotonic()
        try:
            result = answer_series(key, self._spool, self._classifier, kinds=self._options.kinds)
        except CovidctError as error:
            if key in self._arrivals:  # half of it was of an earlier time, say; the rest is on its way
                self._spool.forget_attempts(key)
                LOG.warning("series %s: more of it arrived while it was being read; it is read again", key)
                return
            self._set_aside(key, type(error).__name__)
            return
        if result is None:
            self.counts.add("series_unchanged")
            LOG.info("series %s: was sent again, its report remains valid", key)
            return
        word = result.decision or result.status
        self.counts.add(f"series_{word}" if word != "error" else "series_failed")
        LOG.info("series %s: %s, in %.1f s", key, word, time.monotonic() - begun)

    def _set_aside(self, key: str, why: str) -> None:
        self._spool.set_aside(self._spool.series / key)
        self.counts.add("series_failed")
        LOG.error("series %s: no report can be made (%s); moved to failed", key, why)

    def _send_until_stopped(self) -> None:
        options = self._options
        sending = partial(send, peer=options.peer, title=options.title, tls=options.client_tls)
        delivery = Delivery(self._spool, self.counts, sending)
        while not self._stopping.wait(TICK_S):
            try:
                delivery.work(now=time.monotonic())
            except Exception as error:  # broad: if this thread ended, no more reports would be sent
                LOG.error("no report can be sent (%s); tried again", type(error).__name__)
                log_traceback(error)
                self._stopping.wait(TIDY_S)

    def _tidy(self) -> None:
        """Write the counters, remove what is no longer needed, and give free memory back."""
        give_back_memory()
        try:
            self._spool.sweep(model=self._model, now=time.time())
            self._spool.write_beside("counters.json", self.counts.to_json())
        except OSError as error:  # a full disk is no reason to stop
            LOG.error("the spool cannot be tidied: %s", error.strerror)

    def _exit_code(self) -> int:
        bad = ("instances_refused", "instances_no_room", "series_failed", "objects_refused_by_peer")
        return int(self._options.once and any(self.counts[name] for name in bad))


def _name_port(server: ThreadedAssociationServer) -> str:
    host, port = server.server_address[:2]
    return f"{host}:{port}"
