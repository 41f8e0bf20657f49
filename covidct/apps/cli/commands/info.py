"""`covidct info`: a bundle in a few lines, and whether it answers here as it did where it was made."""

from __future__ import annotations

import json

from covidct.errors import BundleError
from covidct.inference.bundle import GRAPHS, REFERENCE, Bundle
from covidct.inference.reference import check_reference
from covidct.inference.session import Session
from covidct.types import OperatingPoint


def to_short_card(bundle: Bundle) -> str:
    """Name, sizes, decision rule and training data of a verified bundle."""
    config, site = bundle.config, bundle.config.site
    where = "measured in the site's folds" if site else "measured on tune"
    sizes = ", ".join(f"{name} {len(bundle.files[file]) / 1e6:.1f} MB" for name, file in GRAPHS.items())
    lines = [
        config.model,
        f"  checksums    all {len(bundle.files)} files match SHA256SUMS",
        f"  model        sha256:{bundle.digest}",
        f"  graphs       {sizes}",
        f"  labels       {config.labels.positive} (positive), {config.labels.negative}",
        f"  probability  sigmoid((logit {-config.shift:+.3f}) / {config.temperature:.3f}), "
        f"at a prevalence of {config.prevalence:.0%} among slices",
        f"  decisions    positive above the band, negative below it, indeterminate in it; {where}:",
        f"    {'':<18}{'band':<14}  threshold  sensitivity  specificity  coverage",
        *map(_to_line, config.operating_points),
    ]
    if config.series:
        lines.append("  series       the same for series, measured on series left out of the fit:")
        lines += map(_to_line, config.series.operating_points)
    if site:
        lines.append(f"  calibrated   for {site.name}, {site.day}; the figures below are from before")
    return "\n".join([*lines, *(f"  figures      {headline}" for headline in bundle.headlines)])


def _to_line(point: OperatingPoint) -> str:
    low, high = point.band
    return (
        f"    {point.name:<18}{low:.3f} to {high:.3f}  {point.threshold:9.3f}  {point.sensitivity:11.3f}  "
        f"{point.specificity:11.3f}  {point.coverage[0]:.0%} COVID-19, {point.coverage[1]:.0%} other"
    )


def check_installation(bundle: Bundle) -> str:
    """One line: how far the logits of the phantoms are from the recorded ones."""
    sessions = {name: Session(bundle.graph(name)) for name in GRAPHS}
    try:
        apart = check_reference(sessions, json.loads(bundle.files[REFERENCE]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"{bundle.path / REFERENCE}: has no outputs for the phantoms: {error!r}; train it again"
        ) from error
    text = ", ".join(f"{name} at {share:.0%} of the tolerance" for name, share in apart.items())
    if max(apart.values()) > 1:
        raise BundleError(
            f"{bundle.path}: answers differently here than where it was made ({text}); do not use it"
        )
    return f"  installation phantoms answered as recorded: {text}"
