"""Memory must not grow with the number of slices: 300 of 512 x 512 took 600 MB in batches, and take 180."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from covidct.images.phantoms.slice import Phantom
from makers import phantom_hu
from stacks import SERIES, save, stack

SLICES, THREADS, MOST_MB = 300, 2, 250
# The most that the process held. (getrusage would count what the process that started it holds, too.)
STATUS = Path("/proc/self/status")
PREDICT = """
import sys
from covidct.apps.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells how much a process held")
def test_three_hundred_slices_stay_below_the_stated_bound(tmp_path: Path) -> None:
    hu = phantom_hu(Phantom.LESIONS, size=512)
    for at in range(SLICES):
        tags: dict[str, Any] = {"SOPInstanceUID": f"{SERIES}.{at + 1}", "InstanceNumber": at + 1}
        save(tmp_path, stack([hu], origin=(-180.0, -180.0, float(at)), **tags), [f"{at}.dcm"])
    command = [sys.executable, "-c", PREDICT, "predict", "--threads", str(THREADS), "--format", "jsonl"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["ok"] * (SLICES + 1)
    (held,) = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("VmHWM")]
    assert int(held) < MOST_MB * 1024
