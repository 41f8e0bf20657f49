"""An examination: what was found of a model beyond its accuracy, and the file that holds it.

`examination.json`, schema 1, is an object with these keys; an *estimate* is {value, low, high, n, reason},
the 95 % interval None where `reason` says why, `value` None where undefined:

- `protocol`: bundle, version, precision (int8 or float), manifest_digest (SHA-256), split, sources, threshold
  and band (of the probability), tolerance (share of the longer side), level (evidence a cell), seed,
  resamples, intervals (a sentence).
- `explanations`: of each source with masks, source, slices, with_lesions, groups (patients), and estimates:
  `figures` hit, near, iou, auc, inside, inside_near; `chances` hit, near, depth_hit, depth_near, iou, inside;
  `shuffled`, by what was shuffled (last layer, second half, all layers), correlation, hit, near, iou, auc.
- `blackouts`: of each source, source, n, positives, groups, outlined (slices by who said where the lungs
  are), and estimates `aucs` by view (as it is, lungs blacked out, border alone, lungs alone).
- `without_outline`: labelled slices left out of them, as nobody found their lungs.
- `stabilities`: each with source ("real slices" for all but the drawn), kind ("all renders" for all), render
  ("" for all of a kind), n (renders), slices, estimates change, flips, doubts, and `holds`.
- `targets`: each with name, value, target, reached (None where nothing was measured).

Knows values. Knows nothing of how they came about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from covidct.errors import ManifestError
from covidct.evaluation.examination.blackout import Blackout, Masking, both_classes
from covidct.evaluation.examination.evidence_maps import INSIDE_TARGET, POINTING_TARGET, Explanation
from covidct.evaluation.examination.examined_slice import PHANTOM
from covidct.evaluation.examination.examples import Exhibit
from covidct.evaluation.examination.pointing import LEVEL, TOLERANCE
from covidct.evaluation.examination.stability import ALL, FLIP_TARGET, MEDIAN_TARGET, REAL, Stability
from covidct.stats.resampling import RESAMPLING
from covidct.types import Estimate

SCHEMA = 1
CHANCE = 0.5
INTERVALS = (
    "95 %: percentiles over resampled patients (ten neighbours in number where a source has no ids); exact "
    "(Clopper-Pearson) over patients where a share is 0 or 1; none where there is one patient only"
)


@dataclass(frozen=True)
class Protocol:
    """What was examined on what, and how; the fields are those of `examination.json`."""

    bundle: str
    version: str
    precision: str
    manifest_digest: str
    split: str
    sources: tuple[str, ...]
    threshold: float
    band: tuple[float, float]
    tolerance: float = TOLERANCE
    level: float = LEVEL
    seed: int = RESAMPLING.seed
    resamples: int = RESAMPLING.resamples


@dataclass(frozen=True)
class Target:
    """What the project asks for, and what was measured on real slices; `reached` None where nothing was."""

    name: str
    value: float | None
    target: str
    reached: bool | None


@dataclass(frozen=True)
class Examination:
    """All that was found; `exhibits` are slices to look at."""

    protocol: Protocol
    explanations: tuple[Explanation, ...]
    blackouts: tuple[Blackout, ...]
    stabilities: tuple[Stability, ...]
    without_outline: int = 0
    exhibits: tuple[Exhibit, ...] = field(default=(), compare=False, repr=False)


def to_json(examination: Examination) -> dict[str, object]:
    """The examination as plain values."""
    return {
        "schema": SCHEMA,
        "protocol": {**asdict(examination.protocol), "intervals": INTERVALS},
        "explanations": [asdict(one) for one in examination.explanations],
        "blackouts": [asdict(one) for one in examination.blackouts],
        "without_outline": examination.without_outline,
        "stabilities": [{**asdict(one), "holds": one.holds} for one in examination.stabilities],
        "targets": [asdict(target) for target in to_targets(examination)],
    }


def read_examination(path: Path) -> Examination:
    """An `examination.json` read back, without its exhibits. Raises ManifestError for any other file."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["schema"] != SCHEMA:
            raise ValueError(f"schema {table['schema']}, not {SCHEMA}")
        return _parse(table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(
            f"{path}: cannot be read as an examination ({error!r}); make it with covidct examine"
        ) from error


def _parse(table: Mapping[str, Any]) -> Examination:
    protocol = {name: value for name, value in table["protocol"].items() if name != "intervals"}
    protocol |= {"sources": tuple(protocol["sources"]), "band": tuple(protocol["band"])}
    return Examination(
        protocol=Protocol(**protocol),
        explanations=tuple(_parse_explanation(entry) for entry in table["explanations"]),
        blackouts=tuple(
            Blackout(**{**entry, "aucs": _parse_estimates(entry["aucs"])}) for entry in table["blackouts"]
        ),
        stabilities=tuple(_parse_stability(entry) for entry in table["stabilities"]),
        without_outline=table["without_outline"],
    )


def _parse_explanation(entry: Mapping[str, Any]) -> Explanation:
    figures = {name: _parse_estimates(entry[name]) for name in ("figures", "chances")}
    shuffled = {name: _parse_estimates(estimates) for name, estimates in entry["shuffled"].items()}
    return Explanation(**{**entry, **figures, "shuffled": shuffled})


def _parse_stability(entry: Mapping[str, Any]) -> Stability:
    plain = {name: value for name, value in entry.items() if name != "holds"}
    return Stability(**plain | {name: Estimate(**entry[name]) for name in ("change", "flips", "doubts")})


def _parse_estimates(table: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**values) for name, values in table.items()}


def to_targets(examination: Examination) -> tuple[Target, ...]:
    """Every target with what was measured; the drawn slices do not count."""
    found = []
    for one in examination.explanations:
        if one.source != PHANTOM:
            name, figures = one.source, one.figures
            found += [
                _min_target(f"{name}: pointing, within 3 %", figures["near"], POINTING_TARGET),
                _min_target(f"{name}: evidence in the lungs", figures["inside"], INSIDE_TARGET),
            ]
    found += [_blackout(one) for one in both_classes(examination.blackouts) if one.source != PHANTOM]
    for whole in examination.stabilities:
        if (whole.source, whole.kind) == (REAL, ALL):
            found += [
                _max_target("median change of probability", whole.change, MEDIAN_TARGET),
                _max_target("decisions flipped", whole.flips, FLIP_TARGET),
            ]
    return tuple(found)


def _min_target(name: str, found: Estimate, target: float) -> Target:
    reached = None if found.value is None else found.value >= target
    return Target(name, found.value, f"at least {target:.2f}", reached)


def _max_target(name: str, found: Estimate, target: float) -> Target:
    reached = None if found.value is None else found.value <= target
    return Target(name, found.value, f"at most {target:.2f}", reached)


def _blackout(one: Blackout) -> Target:
    """Chance is reached where it lies in the interval, or where there is none, within 0.1."""
    found = one.aucs[Masking.NO_LUNGS]
    reached = None
    if found.value is not None:
        low, high = found.low, found.high
        if low is None or high is None:
            low, high = found.value - 0.1, found.value + 0.1
        reached = low <= CHANCE <= high
    return Target(f"{one.source}: AUC, lungs blacked out", found.value, "0.5 in the interval", reached)
