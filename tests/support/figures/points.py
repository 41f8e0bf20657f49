"""The operating point that results and reports of made-up models carry. Needs no extra."""

from __future__ import annotations

from covidct.types import OperatingPoint

POINT = OperatingPoint("balanced", 0.5, (0.4, 0.6), 0.9, 0.8, (0.1, 0.1), (0.95, 0.9))
