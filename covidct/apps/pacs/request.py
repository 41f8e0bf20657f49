"""What `covidct node` is asked for, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NodeRequest:
    """The options as they were given; times in seconds, `reserve` in MB, `tls_...` are PEM files."""

    peer: str
    ae_title: str
    port: int
    host: str
    allow: tuple[str, ...]
    spool: Path | None
    settle: float
    quiet: float
    reserve: int
    max_associations: int
    no_report: bool
    no_picture: bool
    seg: bool
    once: bool
    tls_cert: Path | None
    tls_key: Path | None
    tls_ca: Path | None
    peer_tls: bool
