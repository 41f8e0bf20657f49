"""Check 7: pictures that do not look like axial chest CT in a lung window.

A classical check of a few image features (`appearance`), tuned to raise few false alarms. It misses other
parts of the body that have dark insides, grey photographs with two clear tones, the middle slices of coronal
and sagittal series that are no taller than wide, and radiographs cut to look like a slice. Files whose header
says another modality or plane never come here: the reader refuses them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from covidct.audit.probes.appearance import Appearance
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Figure, Finding, Level, advise
from covidct.stats.estimate import exact_interval
from covidct.types import Estimate

# Set on photographs, radiographs, MR images, coronal and sagittal CT v. six sources of axial slices.
COLOUR = 0.2
# Two grey levels explain more than this of a slice in a lung window, and less of a radiograph.
CONTRAST, FLAT = 0.82, 0.72
BLURRED = 0.255
SQUARE, TALL = 0.85, 1.2
LITTLE_LUNG, LITTLE_DARK = 0.02, 0.06
HARDLY_LUNG = 0.05
FEW, WARN_SHARE, FAIL_SHARE = 3, 0.02, 0.2
ADVICE = (
    "Look at the slices named here, and remove those that are not axial slices of a chest in a lung window."
)
LIMITS = (
    "This is a classical check of contrast, outlines and shape: it finds what is plainly something else, and "
    "misses other body regions with dark insides and views that are no taller than wide."
)


def check_modality(samples: Sequence[Sample]) -> Check:
    """Flag slices that look like photographs, radiographs, other views, other windows, or hold no lung."""
    flagged: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        if reason := suspect(sample.features.view):
            flagged[reason].append(sample.name)
    n = sum(len(names) for names in flagged.values())
    level = _to_level(n, len(samples))
    findings = tuple(_findings(flagged, level))
    return Check(
        name="modality",
        title="Modality mix",
        headline=f"{n} of {len(samples)} slices do not look like axial chest CT in a lung window. {LIMITS}",
        advice=advise(findings, ADVICE),
        findings=findings,
        figures=(Figure("Flagged", "share of slices", _share(n, len(samples))),),
    )


def suspect(view: Appearance) -> str:
    """Why a slice does not look like axial chest CT in a lung window; "" if it does."""
    if view.colour > COLOUR:
        return "colour photograph or drawing"
    if view.contrast < CONTRAST and view.sharpness < BLURRED and view.height > SQUARE:
        return "radiograph-like"
    if view.contrast < FLAT or (view.contrast < CONTRAST and view.lung_share < HARDLY_LUNG):
        return "no lung window (a soft-tissue window, MR or photograph)"
    if view.height > TALL:
        return "taller than wide (a coronal or sagittal view)"
    if view.lung_share < LITTLE_LUNG and view.dark_share < LITTLE_DARK:
        return "no lungs, or hardly any"
    return ""


def _to_level(flagged: int, n: int) -> Level:
    if flagged > FAIL_SHARE * n:
        return Level.FAIL
    return Level.WARN if flagged >= FEW or flagged > WARN_SHARE * n else Level.PASS


def _findings(flagged: dict[str, list[str]], level: Level) -> Iterator[Finding]:
    for reason, names in sorted(flagged.items(), key=lambda item: (-len(item[1]), item[0])):
        noun = "slice" if len(names) == 1 else "slices"
        yield Finding(level, f"{len(names)} {noun}: {reason}.", tuple(names))


def _share(flagged: int, n: int) -> Estimate:
    if not n:
        return Estimate(None, None, None, 0, "undefined: no slices")
    return Estimate(flagged / n, *exact_interval(flagged, n), n)
