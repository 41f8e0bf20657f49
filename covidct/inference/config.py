"""What `config.json` of a bundle says: how outputs become answers, and what was recorded and measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from covidct.errors import BundleError
from covidct.inference.gate import SENTENCES
from covidct.types import Estimate, GateLimits, OperatingPoint

CONFIG = "config.json"
FORMAT = 2
MAX_NAME = 64
Value = TypeVar("Value")


@dataclass(frozen=True)
class Labels:
    """Names of the two classes; the positive one is COVID-19."""

    positive: str
    negative: str

    @property
    def both(self) -> tuple[str, str]:
        """Positive, negative."""
        return self.positive, self.negative


@dataclass(frozen=True)
class Measured:
    """What one graph was measured at on slices of one source, or of all ("overall")."""

    name: str
    slices: int
    positives: int
    patients: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Figures:
    """What one graph was measured at on a split, overall first."""

    split: str
    sections: tuple[Measured, ...]


@dataclass(frozen=True)
class External:
    """The AUC that a recipe reached on a source that was left out of its training."""

    source: str
    recipe: str
    auc: Estimate


@dataclass(frozen=True)
class Training:
    """What a bundle records about its training and its figures; empty where it records nothing.

    `recipe` is as `data.recipe` parses it, `sources` are those of the training data, `figures` are by graph.
    `external` are the figures on sources left out, of its own recipe, or else of others.
    """

    recipe: Mapping[str, Any]
    manifest_digest: str
    sources: frozenset[str]
    figures: Mapping[str, Figures]
    external: tuple[External, ...]


@dataclass(frozen=True)
class Site:
    """Whom a bundle was calibrated for, and on which day (ISO 8601)."""

    name: str
    day: str


@dataclass(frozen=True)
class Cutoffs:
    """When a finding is called (`finding.to_finding`).

    The probability of an opacity is sigmoid((its logit - shift) / temperature); from `opacity` on, in [0, 1],
    there is one. Below the first logit of `typical` it is atypical, from the second on typical.
    """

    temperature: float
    shift: float
    opacity: float
    typical: tuple[float, float]


@dataclass(frozen=True)
class SeriesCalibration:
    """What turns the slices of a series into its answer, as `Config` has it for a slice.

    `operating_points` have the names of those for slices, in their order. `findings` is None where the bundle
    has no cut-offs.
    """

    temperature: float
    shift: float
    operating_points: tuple[OperatingPoint, ...]
    findings: Cutoffs | None


@dataclass(frozen=True)
class Config:
    """What turns a graph's outputs into answers.

    `window` is (centre, width) in HU of the grey levels that the graph expects. The probability is
    sigmoid((logit - shift) / temperature), and holds where a share `prevalence` of the slices shows
    COVID-19. `operating_points` come with the default first. `gate` is None for graphs without one, `site`
    where the calibration is that of training, `findings` where no cut-offs were measured, `series` where no
    series were there to calibrate on: their figures are then those of slices.
    """

    name: str
    version: str
    labels: Labels
    window: tuple[float, float]
    temperature: float
    shift: float
    prevalence: float
    operating_points: tuple[OperatingPoint, ...]
    training: Training
    gate: GateLimits | None = None
    site: Site | None = None
    findings: Cutoffs | None = None
    series: SeriesCalibration | None = None

    @property
    def model(self) -> str:
        """Name and version, as results cite them."""
        return f"{self.name}-{self.version}"

    @property
    def keeps_to_lungs(self) -> bool:
        """Whether all evidence is inside the lungs, as in networks with a lung finder."""
        return self.training.recipe.get("network") in ("lung_net", "opacity_net")

    @property
    def speaks_for_disease_only(self) -> bool:
        """Whether evidence is never negative, and nothing else speaks: a `lung_net` without context."""
        return self.training.recipe.get("network") == "lung_net" and not self.training.recipe.get("context")


def parse_config(data: bytes, *, where: str = CONFIG) -> Config:
    """Configuration from JSON. Raises BundleError, which names the key that is wrong."""
    try:
        table = json.loads(data)
        if table["format"] != FORMAT:
            raise BundleError(
                f"{where}: has format {table['format']}, but this covidct reads {FORMAT}; "
                "install the covidct it was made with"
            )
        config = _parse_config(table)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{where}: is not the configuration of a bundle: {error}") from error
    if fault := _find_fault(config):
        raise BundleError(f"{where}: {fault}; the bundle cannot be used; train it again")
    return config


def _parse_config(table: Mapping[str, Any]) -> Config:
    return Config(
        name=_take(table, "name", _text),
        version=_take(table, "version", _text),
        labels=_take(table, "labels", _parse_labels),
        window=_take(table, "window", _pair),
        temperature=_take(table, "temperature", float),
        shift=_take(table, "shift", float),
        prevalence=_take(table, "prevalence", float),
        operating_points=_take(table, "operating_points", lambda all_: tuple(map(parse_point, all_))),
        training=_take(table, "training", _parse_training),
        gate=_take_optional(table, "gate", _parse_gate),
        site=_take_optional(table, "site", _parse_site),
        findings=_take_optional(table, "findings", _parse_cutoffs),
        series=_take_optional(table, "series", _parse_series),
    )


def _take(table: Mapping[str, Any], key: str, parse: Callable[[Any], Value]) -> Value:
    """The value of a key. Raises ValueError that says which key, and which one within, has none that fits."""
    if key not in table:
        raise ValueError(f"{key} is missing")
    try:
        return parse(table[key])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"{key}: {error}") from error


def _take_optional(table: Mapping[str, Any], key: str, parse: Callable[[Any], Value]) -> Value | None:
    """The value of a key that may be missing or null."""
    return None if table.get(key) is None else _take(table, key, parse)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    # Names go to terminals, into DICOM (LO, PS3.5 6.2) and labels of counters.
    if not value.isprintable() or not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"{value[:MAX_NAME]!r} is not a name: 1 to {MAX_NAME} characters on one line")
    return value


def _parse_labels(table: Mapping[str, Any]) -> Labels:
    return Labels(**{key: _take(table, key, _text) for key in table})


def _pair(values: Any) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _parse_training(table: Mapping[str, Any]) -> Training:
    """What is recorded; a bundle that was made by hand may record nothing."""
    recipe = table.get("recipe") or {}
    splits = table.get("splits", {})
    return Training(
        recipe=recipe,
        manifest_digest=table.get("manifest_sha256", ""),
        sources=frozenset(
            source for split, by_source in splits.items() if split != "external" for source in by_source
        ),
        figures=_take(table, "figures", _parse_figures) if "figures" in table else {},
        external=_take(table, "external", lambda external: _parse_external(external, recipe["name"]))
        if "external" in table
        else (),
    )


def _parse_figures(table: Mapping[str, Any]) -> dict[str, Figures]:
    return {graph: _take(table, graph, _parse_report) for graph in table}


def _parse_report(table: Mapping[str, Any]) -> Figures:
    split = _take(table["protocol"], "split", _text)
    return Figures(split, tuple(_parse_section(section) for section in table["sections"]))


def _parse_section(table: Mapping[str, Any]) -> Measured:
    evaluation = table["evaluation"]
    metrics = {name: Estimate(**values) for name, values in evaluation["metrics"].items()}
    return Measured(table["name"], evaluation["n"], evaluation["positives"], table["patients"], metrics)


def _parse_external(table: Mapping[str, Any], recipe: str) -> tuple[External, ...]:
    """Of what `covidct benchmark` measured, the AUCs of the bundle's own recipe, else of all recipes."""
    aucs = [(row["left_out"], row["recipe"], Estimate(**row["metrics"]["auc"])) for row in table["rows"]]
    rows = [External(*auc) for auc in aucs]
    own = [row for row in rows if row.recipe == recipe] or rows
    return tuple(row for row in own if row.auc.value is not None)


def _parse_gate(table: Mapping[str, Any]) -> GateLimits:
    classes = tuple(table["classes"])
    limits = GateLimits(classes, float(table["least_chest"]), float(table["least_lung"]))
    if strange := sorted(set(classes[1:]) - set(SENTENCES)):
        raise ValueError(f"the gate has no reason {', '.join(strange)}")
    if len(classes) < 2 or not math.isfinite(limits.min_chest) or not 0 <= limits.min_lung <= 1:
        raise ValueError("the gate needs two classes, a finite least_chest, and least_lung in [0, 1]")
    return limits


def _parse_site(table: Mapping[str, Any]) -> Site:
    return Site(_take(table, "name", _text), _take(table, "day", _text))


def _parse_cutoffs(table: Mapping[str, Any]) -> Cutoffs:
    cutoffs = Cutoffs(
        temperature=_take(table, "temperature", float),
        shift=_take(table, "shift", float),
        opacity=_take(table, "opacity", float),
        typical=_take(table, "typical", _pair),
    )
    is_fine = 0 <= cutoffs.opacity <= 1 and cutoffs.typical[0] <= cutoffs.typical[1]
    if not is_fine or not _is_scale(cutoffs.temperature, cutoffs.shift):
        raise ValueError(
            "needs a finite temperature above 0 and a finite shift, opacity in 0 to 1, and as typical two "
            "numbers, the second no less than the first"
        )
    return cutoffs


def _parse_series(table: Mapping[str, Any]) -> SeriesCalibration:
    return SeriesCalibration(
        temperature=_take(table, "temperature", float),
        shift=_take(table, "shift", float),
        operating_points=_take(table, "operating_points", lambda all_: tuple(map(parse_point, all_))),
        findings=_take_optional(table, "findings", _parse_cutoffs),
    )


def parse_point(table: Mapping[str, Any]) -> OperatingPoint:
    """An operating point from JSON values. Raises KeyError, TypeError and ValueError for other ones."""
    numbers = {name: float(table[name]) for name in ("threshold", "sensitivity", "specificity")}
    pairs = {name: (float(table[name][0]), float(table[name][1])) for name in ("band", "alpha", "coverage")}
    return OperatingPoint(**{**table, "name": _take(table, "name", _text), **numbers, **pairs})


def _find_fault(config: Config) -> str:
    """What keeps a configuration from deciding, or nothing."""
    if not 0 < config.prevalence < 1:
        return f"has a prevalence of {config.prevalence}, which must lie between 0 and 1"
    if not math.isfinite(config.window[0]) or not 0 < config.window[1] < math.inf:
        return f"has a window of {config.window}, which needs a finite centre, and a width above 0"
    fault = _find_point_fault(config, config.operating_points)
    if fault or config.series is None:
        return fault
    names = [[point.name for point in one.operating_points] for one in (config, config.series)]
    if names[0] != names[1]:
        return "series need operating points of the same names as slices"
    fault = _find_point_fault(config.series, config.series.operating_points)
    return f"series: {fault}" if fault else ""


def _find_point_fault(scale: Config | SeriesCalibration, points: Sequence[OperatingPoint]) -> str:
    if not _is_scale(scale.temperature, scale.shift):
        return "needs a finite temperature above 0 and a finite shift"
    if not points or len({point.name for point in points}) < len(points):
        return "needs operating points, each with a name of its own"
    for point in points:
        shares = (point.sensitivity, point.specificity, *point.alpha, *point.coverage)
        if not all(0 <= share <= 1 for share in shares):
            return f"operating point {point.name!r} has a share outside 0 to 1"
        # Otherwise a slice could be called what its prediction set rules out.
        if not 0 <= point.band[0] <= point.threshold <= point.band[1] <= 1:
            return f"operating point {point.name!r} needs its threshold within its band, both within 0 to 1"
    return ""


def _is_scale(temperature: float, shift: float) -> bool:
    return 0 < temperature < math.inf and math.isfinite(shift)
