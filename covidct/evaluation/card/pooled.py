"""What a card says of a calibration on sources left out: how far it carries to each, slices and series.

Knows the record of a pool (`calibration.pool_config`), and Markdown. Measures nothing.
"""

from __future__ import annotations

from covidct.evaluation.calibration.pool import Carried
from covidct.evaluation.calibration.pool_config import PoolRecord
from covidct.evaluation.calibration.tally import Tally
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


def describe_pool(pool: PoolRecord) -> str:
    """The section as Markdown."""
    parts = [ABOUT]
    for title, carried in (("Slices:", pool.slices), ("Series and pseudo-series:", pool.series)):
        if carried:
            rows = [to_carried_row(one) for one in carried]
            parts += [f"{title}\n", to_markdown_table(CARRIED_HEAD, rows), ""]
    if pool.tallies:
        rows = [to_tally_row(one) for one in pool.tallies]
        parts += [ABOUT_TALLIES, to_markdown_table(TALLY_HEAD, rows), ""]
    return "\n".join(parts)


def to_carried_row(one: Carried) -> list[str]:
    """The cells under `CARRIED_HEAD`."""
    shares = (one.undecided, one.accuracy, *one.coverage)
    return [one.source, *map(str, one.slices), *map(to_share, shares)]


def to_tally_row(one: Tally) -> list[str]:
    """The cells under `TALLY_HEAD`."""
    decided, found = one.decisions, one.findings
    return [
        one.source,
        one.kind,
        one.group,
        f"{one.count}",
        f"{one.patients}",
        ", ".join(str(decided.get(word, 0)) for word in DECISIONS),
        ", ".join(str(found.get(word, 0)) for word in FINDINGS) if found else "–",
    ]


def to_share(value: float | None) -> str:
    """A share in [0, 1]; a dash for what cannot be measured."""
    return "–" if value is None else f"{value:.2f}"
