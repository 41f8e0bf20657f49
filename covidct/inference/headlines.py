"""The figures in a card's headlines: at home, and on sources left out of training."""

from __future__ import annotations

import re
from typing import Any

from covidct.inference.bundle import Bundle

ABROAD = re.compile(
    r"(?P<source>[^;]+?) (?P<value>\d\.\d+)(?: \((?P<low>\d\.\d+)–(?P<high>\d\.\d+)\))?(?:; |\.)"
)


def to_headlines(bundle: Bundle) -> list[str]:
    """The card's headlines: the one from at home and the one from abroad."""
    return [line.strip("*") for line in bundle.card.splitlines() if line.startswith("**AUC")]


def to_abroad(bundle: Bundle) -> list[dict[str, Any]]:
    """`source` and `auc` (value, low, high) of each source left out, as the card's headline has it.

    Empty where the card has none; low and high are None where it gives no interval.
    """
    lines = [line for line in to_headlines(bundle) if line.startswith("AUC abroad")]
    found = [match for line in lines for match in ABROAD.finditer(line.split("): ", 1)[1])]
    return [
        {
            "source": match["source"],
            "auc": {part: float(match[part]) if match[part] else None for part in ("value", "low", "high")},
        }
        for match in found
    ]
