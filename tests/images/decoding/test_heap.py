from __future__ import annotations

import subprocess
import sys
from ctypes import CDLL

import pytest

from covidct.images.decoding.heap import give_back_memory, keep_memory

# Large arrays, each with something small above it that stays, as a slice leaves its result.
LEAVE_HOLES = """
from pathlib import Path
from covidct.images.decoding.heap import give_back_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

bytearray(500_000)  # from here on the C library takes such arrays from the heap
arrays, kept = [], []
for _ in range(400):
    arrays.append(bytearray(500_000))
    kept.append(bytearray(3_000))
most = held()
del arrays
before = held()
give_back_memory()
print(most, before, held())
"""


# The same large arrays again and again, as each step of a training makes them.
STEPS = """
import resource, sys
import numpy as np
from covidct.images.decoding.heap import keep_memory

if sys.argv[1:] == ["keep"]:
    keep_memory()
for step in range(40):
    if step == 20:
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(8_000_000, np.float32) for _ in range(3)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun)
"""

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(CDLL(None), "malloc_trim"), reason="only glibc has the calls"
)


@needs_glibc
def test_memory_that_is_kept_is_not_asked_for_again() -> None:
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", STEPS, *given], capture_output=True, check=True).stdout)
        for given in ([], ["keep"])
    )
    # Pages of 2 MB where the system gives such, so a few of them only.
    assert plain > 500, "nothing was given back, so the test says nothing"
    assert kept < plain / 10


@needs_glibc
def test_what_lies_free_below_something_small_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVE_HOLES], capture_output=True, text=True, check=True)
    most, before, after = map(int, done.stdout.split())
    assert most > 200
    assert before - after > 150, "nothing was held, so the test says nothing"
    assert after < 60


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked for the C library"))
    give_back_memory()
    keep_memory()
