"""What a card says of a calibration on sources left out: how far it carries to each, slices and series.

Knows what `config.json` records of a pool (`calibration.pool_config`), and Markdown. Measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covidct.evaluation.markdown import to_markdown_table

ABOUT = """\
## How far the calibration carries

Probabilities, operating points and findings come from sources left out of training, each seen by models
that never saw it, all counting alike. Below, each of them is decided by a calibration on the others alone:
expect that of a hospital that the model never saw.
"""
ABOUT_TALLIES = """\
What was decided and found there. A `series` is whole and taken in several spacings, each of which counts; a
`pseudo-series` is put together from single slices of one kind, where a source has no series.
"""
CARRIED_HEAD = (
    "Left out",
    "COVID-19",
    "Other",
    "Undecided",
    "Balanced accuracy of the decided",
    "Covered, COVID-19",
    "Covered, other",
)
DECISIONS = ("positive", "indeterminate", "negative")
FINDINGS = ("typical", "indeterminate", "atypical", "negative")
TALLY_HEAD = (
    "Left out",
    "Kind",
    "Group",
    "n",
    "Patients",
    "Positive, indeterminate, negative",
    "Typical, indeterminate, atypical, negative for pneumonia",
)


def is_pooled(training: Mapping[str, Any]) -> bool:
    """Whether the calibration is from sources left out."""
    return bool(training.get("pool"))


def describe_pool(training: Mapping[str, Any]) -> str:
    """The section as Markdown, `training` as `config.json` has it; "" without a pool."""
    if not is_pooled(training):
        return ""
    parts = [ABOUT]
    for title, key in (("Slices:", "pool"), ("Series and pseudo-series:", "pool_series")):
        if table := training.get(key):
            parts += [
                f"{title}\n",
                to_markdown_table(CARRIED_HEAD, [to_carried_row(one) for one in table]),
                "",
            ]
    if tallies := training.get("tallies"):
        parts += [ABOUT_TALLIES, to_markdown_table(TALLY_HEAD, [to_tally_row(one) for one in tallies]), ""]
    return "\n".join(parts)


def to_carried_row(one: Mapping[str, Any]) -> list[str]:
    """The cells under `CARRIED_HEAD`."""
    shares = [one["undecided"], one["accuracy"], *one["coverage"]]
    return [one["source"], *map(str, one["slices"]), *map(to_share, shares)]


def to_tally_row(one: Mapping[str, Any]) -> list[str]:
    """The cells under `TALLY_HEAD`."""
    decided, found = one["decisions"], one["findings"]
    return [
        *(one[key] for key in ("source", "kind", "group")),
        f"{one['count']}",
        f"{one['patients']}",
        ", ".join(str(decided.get(word, 0)) for word in DECISIONS),
        ", ".join(str(found.get(word, 0)) for word in FINDINGS) if found else "–",
    ]


def to_share(value: float | None) -> str:
    """A share in [0, 1]; a dash for what cannot be measured."""
    return "–" if value is None else f"{value:.2f}"
