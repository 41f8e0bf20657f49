"""A program, and a fault at one of the changes that it makes to files: what `shim.c` does, from outside.

A library that is loaded before all others (LD_PRELOAD) sees what Python's audit hooks do not: writes, which
may end half-way, and what C++ does (Arrow, ONNX). It needs no rights, as a mount would, and can fail any
single change. Knows nothing of what the program is.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
# As `struct control`.
LAYOUT = "qqqqq16s488s"
FIELDS = ("kind", "fired", "pid", "shift", "amount", "what", "place")
DAY_S = 86400


class Kind(IntEnum):
    """What happens, and stays so but for KILL; as in shim.c."""

    NONE = 0
    KILL = 1
    NO_SPACE = 2
    READ_ONLY = 3
    CLOCK = 4
    MEMORY = 5


# Seconds that the clock is set back by; bytes that are left.
AMOUNTS = {Kind.CLOCK: 400 * DAY_S, Kind.MEMORY: 1 << 20}


@dataclass(frozen=True)
class Change:
    """A kind of change, and where: a path below the root, `*` for what differs from run to run."""

    what: str
    place: str


def build(folder: Path) -> Path:
    """Compile the library into `folder`. Raises CalledProcessError, FileNotFoundError without a compiler."""
    target = folder / "shim.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(target), str(SOURCE), "-ldl"], check=True)
    return target


class Injector:
    """Faults for the programs that write below `root`; `library` is what `build` gave.

    Programs that are to be disturbed are started with `environment`.
    """

    def __init__(self, library: Path, root: Path, folder: Path):
        self.root = root
        self._trace = folder / "trace"
        path = folder / "control"
        path.write_bytes(bytes(struct.calcsize(LAYOUT)))
        with path.open("r+b") as file:
            self._block = mmap.mmap(file.fileno(), struct.calcsize(LAYOUT))
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAULT_CONTROL": str(path),
            "FAULT_ROOT": str(root),
            "FAULT_TRACE": str(self._trace),
        }

    def arm(self, kind: Kind, change: Change | None = None) -> None:
        """Have a fault at the next such change; without one, at none."""
        self._trace.write_bytes(b"")
        what, place = (change.what, f"/{change.place}") if change else ("", "")
        self._write(kind, 0, 0, AMOUNTS.get(kind, 0), what, place)

    def strike(self, kind: Kind) -> None:
        """Have a fault from now on, whatever the program is at: NO_SPACE, READ_ONLY or CLOCK."""
        self._write(kind, 1, -AMOUNTS[kind] if kind is Kind.CLOCK else 0, 0, "", "")

    def aim(self, pid: int) -> None:
        """Say which program KILL kills, whichever of its processes makes the change."""
        struct.pack_into("q", self._block, 8 * FIELDS.index("pid"), pid)

    @property
    def fired(self) -> bool:
        """Whether the fault has been."""
        return bool(struct.unpack_from("q", self._block, 8 * FIELDS.index("fired"))[0])

    def read_changes(self) -> list[Change]:
        """What was changed since `arm`, in order."""
        text = self._trace.read_text(encoding="utf-8", errors="replace")
        pairs = (line.split("\t", 1) for line in text.splitlines())
        return [Change(what, to_pattern(os.path.relpath(path, self.root))) for what, path in pairs]

    def _write(self, kind: Kind, fired: int, shift: int, amount: int, what: str, place: str) -> None:
        pid = struct.unpack_from("q", self._block, 8 * FIELDS.index("pid"))[0]
        values = (kind, fired, pid, shift, amount, what.encode(), place.encode())
        struct.pack_into(LAYOUT, self._block, 0, *values)


def to_pattern(place: str) -> str:
    """A path with `*` for what differs from run to run: numbers, digests, random letters."""
    place = re.sub(r"(?<![^/])(\.[a-z.]+-|tmp|(?:pre|ort)\.quant\.)[a-z0-9_]{8}(?=/|$)", r"\1*", place)
    return re.sub(r"[0-9a-f]{12,}|[0-9]+", "*", place)
