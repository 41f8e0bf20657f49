"""A bundle with another calibration: graphs and reference stay, configuration, card and checksums are new.

Knows the files and what the configuration records. Knows nothing of how the calibration was made.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from covidct.errors import BundleError
from covidct.evaluation.calibration.site import Calibration, Comparison
from covidct.evaluation.calibration.site_card import add_site
from covidct.evaluation.calibration.site_record import MadeFrom, Site, SiteRecord, parse_record, to_record
from covidct.images.scratch import open_scratch
from covidct.inference.bundle import CARD, SUMS, Bundle, load_bundle, write_sums
from covidct.inference.config import CONFIG

# A hyphen would end the model's name where results are taken apart into name and version.
SITE = re.compile(r"[0-9A-Za-z.]{1,24}")


def check_site(bundle: Bundle, name: str, out: Path) -> None:
    """Raise BundleError for what cannot be written, before any slice is read.

    For a name that is no part of a version, a bundle that is calibrated for a site already, and where `out`
    holds something.
    """
    if not SITE.fullmatch(name):
        raise BundleError(
            f"{name!r} cannot name a site: use 1 to 24 letters, digits and dots, as it goes into the version"
        )
    if bundle.config.site is not None:
        raise BundleError(
            f"{bundle.path}: {bundle.config.model} is calibrated for a site already; give the bundle that "
            "it was made from"
        )
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise BundleError(f"{out}: already exists; give another name, or move it away first")


def to_config(bundle: Bundle, site: Site, calibration: Calibration, comparison: Comparison) -> dict[str, Any]:
    """What `config.json` holds then: the old one, but for the version, the calibration, and `site`."""
    old: dict[str, Any] = json.loads(bundle.files[CONFIG])
    version = old["version"]
    digest = hashlib.sha256((bundle.path / SUMS).read_bytes()).hexdigest()
    record = SiteRecord(site, MadeFrom(old["name"], version, digest), comparison)
    new = {
        "version": f"{version}{'.' if '+' in version else '+'}{site.name}",
        **asdict(calibration.scale),
        "prevalence": calibration.prevalence,
        "operating_points": [asdict(point) for point in calibration.points],
        "site": to_record(record, old),
        "series": _keep_series(bundle, calibration),
    }
    return old | new


def _keep_series(bundle: Bundle, calibration: Calibration) -> dict[str, Any] | None:
    """The calibration for series, as it was; None where its operating points have other names."""
    series = bundle.config.series
    names = [point.name for point in calibration.points]
    is_kept = series is not None and [point.name for point in series.operating_points] == names
    return asdict(series) if series is not None and is_kept else None


def write_site_bundle(bundle: Bundle, config: Mapping[str, Any], out: Path) -> None:
    """Write a bundle into `out`, which is not there or empty; it appears when it is whole and verified."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2, allow_nan=False) + "\n"
    with open_scratch(out.parent) as scratch:
        folder = scratch / "bundle"
        folder.mkdir()
        for name, data in bundle.files.items():
            (folder / name).write_bytes(data)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        (folder / CARD).write_text(_to_card(bundle.card, config), encoding="utf-8")
        write_sums(folder, bundle.files)
        load_bundle(folder)
        if out.is_dir():
            out.rmdir()
        folder.rename(out)


def _to_card(card: str, config: Mapping[str, Any]) -> str:
    record = parse_record(config)
    return add_site(card, f"{config['name']} {config['version']}", record) if record else card
