"""What the model card of a bundle that was calibrated for a site says: a warning above, a section below.

Knows what is recorded of a site. Knows nothing of the rest of the card but that its first line is its title.
"""

from __future__ import annotations

from covidct.evaluation.calibration.site_record import Site, SiteRecord
from covidct.evaluation.calibration.site_table import HEAD, to_rows, to_verdict
from covidct.evaluation.markdown import to_markdown_table

NOTE = """\
**Calibrated for a site (`{name}`), {day}: probabilities, thresholds and limits are not those that the figures
below were measured with. The last section has the figures that count.**
"""
HOW = """\
Before: the calibration of {made_from}. After: patients dealt into ten folds, each measured with a calibration
made from the other nine; intervals (95 %, over patients) take those calibrations as they are. ECE and Brier
score are at the mix of these slices. What this bundle decides by is made from all patients at once,
probabilities, thresholds and limits from the same ones, so nobody is left to measure it on: measure it on
patients who come later (`covidct evaluate`). Sensitivity, specificity and coverage in its operating points
are those of the folds.
"""


def add_site(card: str, model: str, record: SiteRecord) -> str:
    """The card with a title for `model` (name and version), a note below it and a section at its end."""
    _, _, rest = card.partition("\n")
    note = NOTE.format(name=record.site.name, day=record.site.day)
    return "\n".join([f"# {model}\n", note, rest.strip() + "\n", to_section(record)])


def to_section(record: SiteRecord) -> str:
    """The section, as Markdown."""
    site, comparison = record.site, record.comparison
    (ill, well), (with_it, without) = comparison.slices, comparison.patients
    made_from = f"`{record.made_from.name}` {record.made_from.version}"
    parts = [
        f"## Calibrated for a site: {site.name}\n",
        "**All figures above were measured with the original calibration**, and hold for it alone.\n",
        f"- From {made_from}, SHA-256 of its checksums `{record.made_from.sha256}`. Graphs, gate and "
        "evidence map are its own, byte for byte.",
        f"- On {site.day}, with {ill} slices with COVID-19 of {with_it} patients and {well} "
        f"without of {without}; sources: {', '.join(site.sources)}. Manifest SHA-256 "
        f"`{site.manifest_digest}`.",
        *_remarks(site),
        "",
        to_markdown_table(HEAD, to_rows(comparison)) + "\n",
        " ".join(to_verdict(comparison)) + "\n",
        HOW.format(made_from=made_from),
    ]
    return "\n".join(parts)


def _remarks(site: Site) -> list[str]:
    lines = []
    if site.left_out:
        counts = ", ".join(f"{count} {why}" for why, count in site.left_out.items())
        lines.append(f"- Left out: {counts}.")
    if site.without_ids:
        lines.append(
            f"- {site.without_ids} slices have no patient id: ten neighbouring numbers stand in for a "
            "patient, and intervals may be too narrow."
        )
    if site.taught:
        lines.append(
            f"- The model may have learned from these slices ({', '.join(site.taught)}): then it is too "
            "sure of them, and so is this calibration."
        )
    if site.accepted:
        lines.append(f"- Written though its probabilities are no better, because: {site.accepted}")
    return lines
