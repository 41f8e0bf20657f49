"""What `config.json` keeps under `site`: whom a calibration was made for, from what, and what it changed.

Knows the keys of that record. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from covidct.errors import BundleError
from covidct.evaluation.calibration.site import Comparison
from covidct.evaluation.calibration.site_table import parse_comparison

# What a site's calibration replaces; the values that stood there are kept under `before`.
CHANGED = ("temperature", "shift", "prevalence", "operating_points")


@dataclass(frozen=True)
class Site:
    """What a bundle is calibrated on.

    `name` goes into the version, `day` is ISO 8601. `left_out` counts slices by why they were left out,
    `without_ids` those where neighbours in number stand in for a patient, `taught` names sources that the
    model may have learned from, `accepted` is why it was written though it is no better.
    """

    name: str
    day: str
    manifest_digest: str
    sources: tuple[str, ...]
    left_out: Mapping[str, int]
    without_ids: int
    taught: tuple[str, ...] = ()
    accepted: str = ""


@dataclass(frozen=True)
class MadeFrom:
    """The bundle that was calibrated; `sha256` is that of its checksums."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class SiteRecord:
    """A site's calibration as the bundle records it."""

    site: Site
    made_from: MadeFrom
    comparison: Comparison


def to_record(record: SiteRecord, before: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for `config.json`, with what the configuration `before` had in place of the new values."""
    return {
        **asdict(record.site),
        "made_from": asdict(record.made_from),
        "before": {name: before[name] for name in CHANGED},
        "figures": asdict(record.comparison),
    }


def parse_record(config: Mapping[str, Any]) -> SiteRecord | None:
    """The record in what `config.json` holds; None where there is none. Raises BundleError for a bad one."""
    if not (table := config.get("site")):
        return None
    try:
        values = {key: value for key, value in table.items() if key not in ("made_from", "before", "figures")}
        lists = {name: tuple(values[name]) for name in ("sources", "taught")}
        return SiteRecord(
            site=Site(**{**values, **lists}),
            made_from=MadeFrom(**table["made_from"]),
            comparison=parse_comparison(table["figures"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the site's calibration cannot be read: {error!r}; calibrate again") from error


def to_original(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `config.json` held before a site's calibration; the same where there was none."""
    site = config.get("site")
    return dict(config) if site is None else {**config, **site["before"]}
