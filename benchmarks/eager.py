"""The rival of `speed.py`: plain PyTorch, eager, the same network, one slice after another.

What most people would write: read with Pillow or pydicom, resize, normalise, run.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import torch
from PIL import Image

from covidct.images.hounsfield import to_display
from covidct.training.networks.mobilenet import EvidenceNet


def read(path: str) -> torch.Tensor:
    """One slice as (1, H, W) uint8."""
    if path.endswith(".dcm"):
        import pydicom

        dataset = pydicom.dcmread(path)
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        return torch.from_numpy(to_display(hu))[None]
    return torch.from_numpy(np.array(Image.open(path).convert("L")))[None]


def main() -> None:
    """Print a probability for each line of standard input, or for the paths given."""
    paths = sys.argv[1:] or sys.stdin.read().split("\n")[:-1]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = EvidenceNet(256).eval()
    with torch.inference_mode():
        for path in paths:
            logit, _ = network(read(path))
            print(path, torch.sigmoid(logit).item())


if __name__ == "__main__":
    main()
