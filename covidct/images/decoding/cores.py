"""How many cores there are to use."""

from __future__ import annotations

import os


def count_cores() -> int:
    """Cores that this process may run on."""
    # More threads than free cores make a run slower, so affinity counts, not the machine.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
