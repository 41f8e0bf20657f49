"""C-ECHO and C-STORE: from the network into the spool.

Knows the services (PS3.4 annexes A and B, PS3.7 9.1.1) and what an instance must have to be kept. An instance
is acknowledged when it is safe on disk, not before. Knows nothing of models or of reports.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import Any, cast

from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # (made when it is imported)

from covidct.apps.pacs.arrivals import Announced, Arrivals
from covidct.apps.pacs.counts import Counts
from covidct.apps.pacs.peer import Caller, is_allowed
from covidct.apps.pacs.spool import Spool, to_key
from covidct.errors import ReadError
from covidct.images.elements import numbers
from covidct.images.library_errors import damage_as
from covidct.images.limits import Allowance, check_bytes

LOG = logging.getLogger("covidct.node")

# C-STORE statuses (PS3.4 table B.2-1).
SUCCESS, OUT_OF_RESOURCES, WRONG_CLASS, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
NEGOTIATION_S = 5.0  # from a connection to its request for an association
LIMIT = 20  # associations at once
NAMED = 5  # kinds of objects in one line of the log
STORED = (uid.CTImageStorage, uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage)
# Deflated objects are not among them: the library inflates them before anybody can ask how large they get.
SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
_ASKED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "Modality",
    "Rows",
    "Columns",
    "BitsAllocated",
    "SamplesPerPixel",
    "NumberOfFrames",
    "NumberOfSeriesRelatedInstances",
    "ImagesInAcquisition",
    "PixelData",
)


class Misfit(ReadError):
    """Not what was announced, or no CT: status A9xx."""


@dataclass(frozen=True)
class Identity:
    """Which instance of which series, and how many there are by its header."""

    announced: Announced
    series_uid: str


def to_entity(title: str, *, idle: float = 60) -> AE:
    """An application entity that takes CT images and echoes; `idle` seconds of silence end an association."""
    entity = AE(title)
    entity.require_called_aet = True
    entity.acse_timeout, entity.network_timeout = NEGOTIATION_S, idle
    # The library counts every open connection, probes too; `Reception` counts associations.
    entity.maximum_associations = sys.maxsize
    entity.add_supported_context(Verification)
    for storage in STORED:
        entity.add_supported_context(storage, list(SYNTAXES))
    return entity


def parse_identity(data: bytes, *, sop_instance_uid: str) -> Identity:
    """Parse the bytes of a received file as far as the node must know it before it is kept.

    `sop_instance_uid` is from the C-STORE request. Raises Misfit for another instance or one that is not CT,
    ReadError if it is damaged, cut off, too large or lacks its UIDs. Messages quote no values.
    """
    check_bytes(len(data), name="instance")
    # The cause is left out: messages of pydicom quote values.
    with damage_as(lambda _: ReadError("instance: damaged or without its UIDs")):
        dataset = dcmread(Allowance("instance").bind(BytesIO(data)), specific_tags=list(_ASKED))
        identity = Identity(_to_announced(dataset), str(dataset.SeriesInstanceUID))
        complete = _is_complete(dataset)
        # What is asked for is converted here: a wrong value representation is damage like any other.
        uids = (identity.announced.uid, identity.series_uid, dataset.get("StudyInstanceUID"))
        is_ct = dataset.get("Modality") == "CT" and dataset.get("SOPClassUID") in STORED
    if not complete:
        raise ReadError("instance: without all of its pixel data")
    if not all(map(_is_uid, uids)):
        raise ReadError("instance: one of its UIDs is not valid")
    if identity.announced.uid != sop_instance_uid:
        raise Misfit("instance: not the one that was announced")
    if not is_ct:
        raise Misfit("instance: not CT")
    return identity


class Reception:
    """What to do with each event of the network; safe to use from the thread of each association."""

    def __init__(
        self,
        spool: Spool,
        arrivals: Arrivals,
        counts: Counts,
        *,
        callers: Sequence[Caller],
        limit: int = LIMIT,
    ):
        """`callers` may send, empty for all who can reach the port; `limit` of them at once."""
        self._spool, self._arrivals, self._counts = spool, arrivals, counts
        self._callers, self._limit = tuple(callers), limit
        self._lock = Lock()
        self._open: set[Association] = set()
        self._storing: set[Hashable] = set()
        self.served = False  # whether an association that brought something has come to its end

    def handlers(self) -> list[Any]:
        """What pynetdicom's server binds."""
        return [
            (evt.EVT_CONN_OPEN, self.on_open),
            (evt.EVT_FSM_TRANSITION, self.on_transition),
            (evt.EVT_REQUESTED, self.on_request),
            (evt.EVT_REJECTED, self.on_reject),
            (evt.EVT_ACCEPTED, self.on_accept),
            (evt.EVT_C_ECHO, self.on_echo),
            (evt.EVT_C_STORE, self.on_store),
            (evt.EVT_RELEASED, self.on_release),
            (evt.EVT_CONN_CLOSE, self.on_close),
        ]

    def on_open(self, event: Event) -> None:
        """Limit the wait for each byte until there is an association, against slow connections."""
        _set_patience(event.assoc, NEGOTIATION_S)

    def on_transition(self, event: Event) -> None:
        """Drop a connection that closed before its request (state 2): the library would wait for ever."""
        transition: Any = event
        if (transition.current_state, transition.fsm_event) == ("Sta2", "Evt17"):
            self._counts.add("connections_unused")
            cast(Any, event.assoc.dul.to_user_queue).put(None)

    def on_request(self, event: Event) -> None:
        """Reject callers that are not on the list, or too many at once (PS3.8 9.3.4)."""
        if self._callers and not is_allowed(self._callers, *_name_caller(event.assoc)):
            self._reject(event.assoc, (0x01, 0x01, 0x03), "not on the list of callers")
        elif not self._take_place(event.assoc):
            self._reject(event.assoc, (0x02, 0x03, 0x02), f"{self._limit} associations are open already")

    def on_reject(self, event: Event) -> None:
        """Count and log what the library rejects: another called AE title."""
        self._log_rejection(event.assoc, "it calls another AE title")

    def on_accept(self, event: Event) -> None:
        """Count an association, and log which objects of its offer are not accepted."""
        _set_patience(event.assoc, event.assoc.network_timeout)
        self._counts.add("associations")
        if refused := event.assoc.rejected_contexts:
            names = sorted({uid.UID(str(one.abstract_syntax)).name for one in refused})
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            self._counts.add("contexts_refused", len(refused))
            LOG.log(
                logging.INFO if _takes_all_ct(event.assoc) else logging.WARNING,
                "%a at %s offers what the node does not accept: %s%s",
                *_name_caller(event.assoc),
                ", ".join(names[:NAMED]),
                more,
            )

    def on_echo(self, event: Event) -> int:
        """Answer C-ECHO."""
        return SUCCESS

    def on_store(self, event: Event) -> int:
        """Answer C-STORE: 0000 when the instance is on disk, else A700, A900 or C000."""
        self._storing.add(event.assoc)
        try:
            data = event.encoded_dataset()
            announced = cast(C_STORE, event.request).AffectedSOPInstanceUID
            identity = parse_identity(data, sop_instance_uid=str(announced))
            key = to_key(identity.series_uid)
            self._spool.keep(key, identity.announced.uid, data)
        except ReadError as error:
            self._counts.add("instances_refused")
            LOG.warning("refused an %s", error)
            return WRONG_CLASS if isinstance(error, Misfit) else NOT_UNDERSTOOD
        except OSError as error:
            self._counts.add("instances_no_room")
            LOG.error("could not keep an instance: %s", error.strerror)
            return OUT_OF_RESOURCES
        self._counts.add("instances_kept")
        self._arrivals.arrive(key, now=time.monotonic(), sender=event.assoc, announced=identity.announced)
        return SUCCESS

    def on_release(self, event: Event) -> None:
        """The peer has said that it is done."""
        self._arrivals.end(event.assoc, clean=True)

    def on_close(self, event: Event) -> None:
        """The connection is gone; without a release before, the peer may come back with more."""
        with self._lock:
            self._open.discard(event.assoc)
        self._arrivals.end(event.assoc, clean=False)
        if event.assoc in self._storing:
            self._storing.discard(event.assoc)
            self.served = True

    def _take_place(self, association: Association) -> bool:
        """Whether there is room for one more; associations that ended unnoticed do not count."""
        with self._lock:
            self._open = {one for one in self._open if one.is_alive()}
            if len(self._open) >= self._limit:
                return False
            self._open.add(association)
            return True

    def _reject(self, association: Association, code: tuple[int, int, int], why: str) -> None:
        self._log_rejection(association, why)
        association.acse.send_reject(*code)
        association.kill()

    def _log_rejection(self, association: Association, why: str) -> None:
        with self._lock:
            self._open.discard(association)
        self._counts.add("associations_rejected")
        LOG.warning("rejected %a at %s: %s", *_name_caller(association), why)

    @property
    def busy(self) -> bool:
        """Whether an association that sent something is still open."""
        return bool(self._storing)


def _name_caller(association: Association) -> tuple[str, str]:
    """AE title and address of who asks for an association."""
    requestor: Any = association.requestor  # its parts may be None, though not once it has asked
    return requestor.primitive.calling_ae_title.strip(), requestor.address_info.address


def _takes_all_ct(association: Association) -> bool:
    """Whether CT was offered and all of it accepted; archives such as Orthanc always offer all else too."""
    taken = {one.abstract_syntax for one in association.accepted_contexts}
    refused = {one.abstract_syntax for one in association.rejected_contexts}
    return not taken.isdisjoint(STORED) and refused.isdisjoint(STORED)


def _set_patience(association: Association, seconds: float | None) -> None:
    """How long a read may wait for the next bytes."""
    connection = association.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.settimeout(seconds)


def _is_uid(value: object) -> bool:
    # They become names of files, so nothing but digits and dots may pass.
    return re.fullmatch(r"[0-9]+(\.[0-9]+)+", str(value)) is not None and len(str(value)) <= 64


def _to_announced(dataset: Dataset) -> Announced:
    """With how many instances there are: of the series (PS3.4 C.3.4, for queries; some archives put it
    into instances), else of the acquisition (PS3.3 C.7.6.1), of which a series may have several.
    """
    of_series, of_acquisition = (
        next(iter(numbers(dataset, keyword)), 0.0)
        for keyword in ("NumberOfSeriesRelatedInstances", "ImagesInAcquisition")
    )
    return Announced(
        uid=str(dataset.SOPInstanceUID),
        slices=int(dataset.get("NumberOfFrames") or 1),
        expected=int(of_series or of_acquisition),
        exact=of_series > 0,
    )


def _is_complete(dataset: Dataset) -> bool:
    """Whether uncompressed pixel data has its bytes; where it is compressed, the parser has seen its end."""
    pixels = dataset.get("PixelData")
    if pixels is None:
        return False
    if uid.UID(dataset.file_meta.TransferSyntaxUID).is_encapsulated:
        return len(pixels) > 0
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    bits = frames * samples * dataset.Rows * dataset.Columns * dataset.BitsAllocated
    return len(pixels) >= int(bits) // 8
