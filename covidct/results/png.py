"""Grey levels or colours -> the bytes of a PNG.

Knows one format. Knows nothing of what is shown.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """Write (H, W) grey or (H, W, 3) RGB uint8 as PNG; fast rather than small."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
