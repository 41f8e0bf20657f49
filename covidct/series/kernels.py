"""A ConvolutionKernel, or the description of a series -> what it was reconstructed for.

Kernels as vendors call them: Siemens B60f, Bl57, Br64; Canon FC51; Philips YC, L; GE LUNG. And for bones:
GE BONE, BONEPLUS; Siemens Hr; Philips YD, D; Canon FC30.
"""

from __future__ import annotations

import re

_LUNG = re.compile(r"lung|^(b[67]\d|bl\d\d|br[67]\d|bv[67]\d|fc5\d|fc8\d|yc|yb|l$)", re.IGNORECASE)
_BONE = re.compile(r"bone|^(fc3\d|hr|ub|yd|d$)", re.IGNORECASE)


def is_for_lungs(kernel: str) -> bool:
    """Whether a kernel is one for lungs."""
    return bool(_LUNG.search(kernel))


def is_for_bones(kernel: str) -> bool:
    """Whether a kernel is one for bones."""
    return bool(_BONE.search(kernel))
