"""`covidct` as a process of its own, disturbed by an injector."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from faults.control import Injector

RUN = "from covidct.apps.cli.main import main; main(prog_name='covidct')"


def start(arguments: Sequence[str], injector: Injector, *, log: Path) -> subprocess.Popen[bytes]:
    """Start it; standard error goes to `log`, and its temporary files lie below the injector's root."""
    environment = os.environ | injector.environment | {"TMPDIR": str(injector.root / "tmp")}
    with log.open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
        )
