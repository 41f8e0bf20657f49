"""What the server lets in, and how much of it at once.

Knows numbers and names. Knows nothing of HTTP; `guard`, `uploads`, `worker` and `jobs` hold to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Serving:
    """What `covidct serve` is asked for: where to listen, who may ask, and at most how much at a time.

    `names` are more names by which browsers may call the server, `root` is the path that it has behind a
    proxy; `certificate` and `key` are PEM files, None
    for http; `upload_mb` is in MiB.
    """

    host: str
    port: int
    names: tuple[str, ...] = ()
    root: str = ""
    token: str | None = None
    no_auth: bool = False
    upload_mb: int = 512
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Settings:
    """How a server is set up.

    `hosts` are the names, in lower case and without a port, by which it may be called; `any_address` lets
    numeric addresses pass too. `root` is the path that a proxy has put it under (`guard`). `token` is what
    every caller of the API must show, None for no token.
    `body_bytes` and `files` bound one upload, `unpacked_bytes` what its archives may hold (and `files` how
    many slices). `memory_bytes` bounds all uploads and jobs that are held together, `tasks` the work that
    runs or waits, `jobs` those that are kept. `idle_s` is how long an upload may pause, `upload_s` how long
    it may take, `keep_s` how long a finished job is kept after its last use, and `grace_s` how long a stop
    waits for work that has begun; all in seconds.
    """

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    any_address: bool = False
    root: str = ""
    token: str | None = None
    body_bytes: int = 512 * MIB
    files: int = 2000
    unpacked_bytes: int = 4096 * MIB
    memory_bytes: int = 1024 * MIB
    tasks: int = 16
    jobs: int = 32
    idle_s: float = 30
    upload_s: float = 900
    keep_s: float = 600
    grace_s: float = 30
