"""C-STORE of reports to the peer, and when to try again.

Knows the service (PS3.4 annex B) and its statuses. Knows nothing of spools or of what is in a report.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from ssl import SSLContext

from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from covidct.apps.pacs.peer import Peer

SENT = (uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage, uid.SegmentationStorage)
TIMEOUT_S = 30.0
_DUPLICATE = 0x0111  # PS3.7 C.5.2: the peer has it already, as after a crash between its answer and our note
_OUT_OF_RESOURCES = 0xA7


class Outcome(Enum):
    """What became of a file: the peer has it, may take it later, does not want it, or cannot be reached."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    DOWN = "down"


@dataclass(frozen=True)
class Attempt:
    """What became of a file, and why in a few words without patient data.

    `reached` says that the peer may have it, whatever it said.
    """

    path: Path
    outcome: Outcome
    detail: str
    reached: bool = False


@dataclass
class Backoff:
    """How long to wait after failures in a row: a second, then twice as long each time, five minutes at most.

    Each wait is shortened by up to a half at random, so that many nodes do not come back at once.
    """

    first: float = 1.0
    longest: float = 300.0
    random: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def fail(self) -> float:
        """Note a failure; gives the seconds to wait."""
        wait = min(self.first * 2.0 ** min(self.failures, 30), self.longest)
        self.failures += 1
        return wait * self.random.uniform(0.5, 1.0)

    def succeed(self) -> None:
        """Note a success: the next failure waits the shortest time again."""
        self.failures = 0


def send(
    paths: Iterable[Path], peer: Peer, *, title: str, tls: SSLContext | None = None
) -> Iterator[Attempt]:
    """Send files in one association; gives what became of each as soon as it is known.

    `title` is the own AE title. Nothing is raised for a peer that is down or breaks off.
    """
    waiting = list(paths)
    association = _associate(peer, title, tls)
    if not association.is_established:
        why = "association rejected" if association.is_rejected else "no association"
        yield from (Attempt(path, Outcome.DOWN, why) for path in waiting)
        return
    try:
        for path in waiting:
            yield _send_one(association, path)
    finally:
        if association.is_established:
            association.release()


def _associate(peer: Peer, title: str, tls: SSLContext | None) -> Association:
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S
    entity.connection_timeout = TIMEOUT_S
    for storage in SENT:
        entity.add_requested_context(storage, [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
    return entity.associate(
        peer.host, peer.port, ae_title=peer.title, tls_args=(tls, peer.host) if tls is not None else None
    )


def _send_one(association: Association, path: Path) -> Attempt:
    if not association.is_established:
        return Attempt(path, Outcome.LATER, "association lost")
    try:
        return _judge(path, association.send_c_store(dcmread(path)))
    except ValueError:  # no presentation context for it was accepted
        return Attempt(path, Outcome.REFUSED, "objects of this kind are not accepted")
    except (RuntimeError, OSError) as error:
        return Attempt(path, Outcome.LATER, type(error).__name__, reached=True)


def _judge(path: Path, answer: Dataset) -> Attempt:
    """PS3.4 table B.2-1: warnings (Bxxx) mean that it was stored."""
    status = answer.get("Status")
    if status is None:
        return Attempt(path, Outcome.LATER, "no answer", reached=True)
    detail = f"status {status:04X}"
    if status in (0x0000, _DUPLICATE) or status >> 12 == 0xB:
        return Attempt(path, Outcome.SENT, detail, reached=True)
    return Attempt(path, Outcome.LATER if status >> 8 == _OUT_OF_RESOURCES else Outcome.REFUSED, detail)
