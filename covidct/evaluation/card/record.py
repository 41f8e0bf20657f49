"""All that a card is made from: what `config.json` records of a model's training and measurements.

Knows the keys of `training`. Knows nothing of how a card reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from covidct.errors import BundleError
from covidct.evaluation.calibration.pool_config import PoolRecord
from covidct.evaluation.calibration.pool_config import parse_record as parse_pool
from covidct.evaluation.calibration.site_record import SiteRecord, to_original
from covidct.evaluation.calibration.site_record import parse_record as parse_site
from covidct.evaluation.leave_one_out.table import Standings, parse_standings
from covidct.evaluation.report import Report
from covidct.evaluation.report_json import parse_figures, parse_sections
from covidct.evaluation.sections import Section
from covidct.inference.config import Config, parse_config


@dataclass(frozen=True)
class RecipeFacts:
    """What a card says of a recipe.

    `size` is the side in pixels, `epochs` the maximum. `keeps_last` means that the last epoch was kept, not
    the best by `tune`.
    """

    name: str
    network: str
    size: int
    seed: int
    epochs: int
    keeps_last: bool


@dataclass(frozen=True)
class CheckFacts:
    """One check of the audit: its level is pass, warn or fail."""

    title: str
    level: str
    headline: str


@dataclass(frozen=True)
class AuditFacts:
    """The audit of the data; `accepted` is why they were used although it failed, or "" ."""

    level: str
    checks: tuple[CheckFacts, ...]
    accepted: str


@dataclass(frozen=True)
class Pretrained:
    """The weights that training began from, with their SHA-256."""

    origin: str
    sha256: str


@dataclass(frozen=True)
class Parity:
    """How far the graphs lie apart: in torch's logit, and in the AUC on `tune`."""

    float_logit: float
    float_auc: float
    int8_auc: float


@dataclass(frozen=True)
class Making:
    """How a model was made. `splits` has slices (positive, negative) by split and source.

    `block` slices with neighbouring numbers stood in for a patient: of few slices fewer than the recipe has.
    """

    recipe: RecipeFacts
    block: int
    manifest_digest: str
    splits: Mapping[str, Mapping[str, tuple[int, int]]]
    audit: AuditFacts
    pretrained: Pretrained | None
    parity: Parity
    versions: Mapping[str, str]

    @property
    def sources(self) -> list[str]:
        """Names of all sources, sorted."""
        return sorted({source for by_source in self.splits.values() for source in by_source})


@dataclass(frozen=True)
class Record:
    """What a bundle records.

    `config` is that of training, before a site's calibration; `model` is the name and version of the bundle
    as it is. `figures` are reports by graph, the float graph's first. `external`, `pool` and `site` are None
    where there is none.
    """

    config: Config
    model: str
    making: Making
    figures: Mapping[str, Report]
    subgroups: Mapping[str, tuple[Section, ...]]
    notes: str
    external: Standings | None
    pool: PoolRecord | None
    site: SiteRecord | None


def parse_record(data: bytes) -> Record:
    """The record in the bytes of a `config.json`. Raises BundleError for one that lacks what a card needs."""
    table = json.loads(data)
    training, name = table["training"], f"bundle {table['name']}"
    if "figures" not in training:
        raise BundleError(f"{name}: does not record its figures; train it again")
    try:
        making, pool = _parse_making(training), parse_pool(training)
        subgroups = {
            group: tuple(parse_sections(rows)) for group, rows in training.get("subgroups", {}).items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{name}: its training cannot be read: {error!r}; train it again") from error
    return Record(
        config=parse_config(json.dumps(to_original(table)).encode()),
        model=f"{table['name']} {table['version']}",
        making=making,
        figures={graph: parse_figures(report) for graph, report in training["figures"].items()},
        subgroups=subgroups,
        notes=training.get("notes", ""),
        external=_parse_external(training),
        pool=pool,
        site=parse_site(table),
    )


def _parse_making(training: Mapping[str, Any]) -> Making:
    audit, pretrained = training["audit"], training["pretrained"]
    splits = {
        split: {source: (counts[0], counts[1]) for source, counts in by_source.items()}
        for split, by_source in training["splits"].items()
    }
    return Making(
        recipe=_parse_recipe(training["recipe"]),
        block=training.get("block", training["recipe"]["data"]["block"]),
        manifest_digest=training["manifest_sha256"],
        splits=splits,
        audit=AuditFacts(
            audit["level"], tuple(CheckFacts(**check) for check in audit["checks"]), audit["accepted"]
        ),
        pretrained=Pretrained(**pretrained) if pretrained else None,
        parity=Parity(**training["parity"]),
        versions=training["versions"],
    )


def _parse_recipe(recipe: Mapping[str, Any]) -> RecipeFacts:
    return RecipeFacts(
        **{name: recipe[name] for name in ("name", "network", "size", "seed")},
        epochs=sum(phase["epochs"] for phase in recipe["phases"]),
        keeps_last=recipe.get("choose") == "last",
    )


def _parse_external(training: Mapping[str, Any]) -> Standings | None:
    """What `covidct card --benchmark` recorded, if it did."""
    try:
        return parse_standings(training["external"]) if "external" in training else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"the figures of sources left out cannot be read: {error!r}") from error
