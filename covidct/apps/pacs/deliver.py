"""The outbox -> the peer: each report has its own retries, so that a rejected one holds up no other.

Knows when a report is due and when to give it up. Knows nothing of networks (`send`) or of reports.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from covidct.apps.pacs.counts import Counts
from covidct.apps.pacs.outbox import Parcel
from covidct.apps.pacs.send import Attempt, Backoff, Outcome
from covidct.apps.pacs.spool import Spool

LOG = logging.getLogger("covidct.node")
TRIES = 10  # of one report, while others pass: about eight minutes


@dataclass
class _Trouble:
    """A report that was not taken: when it is due, and how many others had passed when it first failed."""

    passed: int
    due: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)


class Delivery:
    """What is on its way to one peer; `send` uses one association. Times are in seconds on any one clock."""

    def __init__(self, spool: Spool, counts: Counts, send: Callable[[Iterable[Path]], Iterator[Attempt]]):
        self._spool, self._counts, self._send = spool, counts, send
        self._peer, self._peer_due = Backoff(), 0.0
        self._troubles: dict[Path, _Trouble] = {}
        self._passed = 0

    def work(self, *, now: float) -> None:
        """Send every report that is due. Raises OSError where the spool fails."""
        if now < self._peer_due:
            return
        parcels = self._spool.parcels()
        here = {parcel.folder for parcel in parcels}
        self._troubles = {folder: one for folder, one in self._troubles.items() if folder in here}
        for parcel in parcels:
            trouble = self._troubles.get(parcel.folder)
            if trouble is not None and now < trouble.due:
                continue
            if self._spool.leaving.begin(parcel) and not self._deliver(parcel, now):
                return

    def _deliver(self, parcel: Parcel, now: float) -> bool:
        """Send the files of one report; whether the peer can be reached."""
        reached = False
        try:
            for attempt in self._send(parcel.files):
                reached |= attempt.reached
                if (is_up := self._note(parcel, attempt, now)) is not None:
                    return is_up
        finally:
            self._spool.leaving.end(parcel, reached=reached)
        self._peer.succeed()
        self._passed += 1
        return True

    def _note(self, parcel: Parcel, attempt: Attempt, now: float) -> bool | None:
        """Note what became of a file; whether the peer can be reached, None to go on with the next file."""
        match attempt.outcome:
            case Outcome.SENT:
                self._counts.add("objects_sent")
                self._spool.leaving.sent(parcel, attempt.path)
                LOG.info("series %s: sent %s", parcel.key, attempt.path.name)
                return None
            case Outcome.REFUSED:
                self._give_up(parcel, attempt, "the peer refuses it")
            case Outcome.LATER:
                self._postpone(parcel, attempt, now)
            case Outcome.DOWN:
                wait = self._peer.fail()
                self._peer_due = now + wait
                self._counts.add("sends_postponed")
                LOG.warning("no report can be sent (%s); next try in %.0f s", attempt.detail, wait)
                return False
        return True

    def _postpone(self, parcel: Parcel, attempt: Attempt, now: float) -> None:
        """Try one report again later; after TRIES, with others taken meanwhile, it is this one's fault."""
        self._peer.succeed()
        trouble = self._troubles.setdefault(parcel.folder, _Trouble(self._passed))
        wait = trouble.backoff.fail()
        trouble.due = now + wait
        self._counts.add("sends_postponed")
        if trouble.backoff.failures >= TRIES and self._passed > trouble.passed:
            self._give_up(parcel, attempt, f"not accepted in {TRIES} tries, others were")
            return
        LOG.warning(
            "series %s: %s was not accepted (%s); next try in %.0f s",
            parcel.key,
            attempt.path.name,
            attempt.detail,
            wait,
        )

    def _give_up(self, parcel: Parcel, attempt: Attempt, why: str) -> None:
        self._counts.add("objects_refused_by_peer")
        self._spool.set_aside(parcel.folder)
        name, detail = attempt.path.name, attempt.detail
        LOG.error("series %s: %s: %s (%s); moved to failed", parcel.key, name, why, detail)
