from __future__ import annotations

import subprocess
import sys
from ctypes import CDLL

import pytest

from covidct.images.decoding.heap import give_back_memory

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


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(CDLL(None), "malloc_trim"), reason="only glibc has the call"
)
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
