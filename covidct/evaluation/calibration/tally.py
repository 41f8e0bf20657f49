"""What is decided and found on each source left out, by a calibration on the others: counts for people.

Knows what is fitted and the words of answers. Knows nothing of files or torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.calibration.findings import fit_cutoffs
from covidct.evaluation.calibration.fit import ALPHA, Scale
from covidct.evaluation.calibration.left_out import LeftOut
from covidct.evaluation.calibration.pool import calibrate_pool, has_sources
from covidct.inference.config import Cutoffs
from covidct.inference.decision import to_decision
from covidct.inference.finding import name_finding
from covidct.types import OperatingPoint

COVID, CLEAR, OTHER = "COVID-19", "clear lungs", "other"


@dataclass(frozen=True)
class Tally:
    """Of `count` slices, series or pseudo-series (`kind`) of `patients` in a group of a source: how many are
    decided and found so, by word. Series are taken in several spacings, each of which counts. `findings` is
    empty where the others leave nothing to measure cut-offs on.
    """

    source: str
    kind: str
    group: str
    count: int
    patients: int
    decisions: Mapping[str, int]
    findings: Mapping[str, int]


def tally(left_out: LeftOut, *, alpha: tuple[float, float] = ALPHA) -> tuple[Tally, ...]:
    """Counts for each source, kind and group; none for a source whose others cannot be calibrated on."""
    sources = np.array(left_out.answers.sources)
    found: list[Tally] = []
    for name in dict.fromkeys(left_out.answers.sources):
        others = left_out.choose(sources != name)
        if not has_sources(others.answers):
            continue
        scale, points = calibrate_pool(others.answers, alpha=alpha)
        here = left_out.choose(sources == name)
        found += _count(here, _decide(here, scale, points[0]), _find(here, fit_cutoffs(others)))
    return tuple(found)


def _count(here: LeftOut, decisions: Sequence[str], findings: Sequence[str]) -> Iterator[Tally]:
    names = [
        (kind, COVID if label else CLEAR if clear else OTHER)
        for kind, label, clear in zip(here.kinds, here.answers.labels.tolist(), here.clear, strict=True)
    ]
    for kind, group in dict.fromkeys(names):
        places = [at for at, name in enumerate(names) if name == (kind, group)]
        yield Tally(
            source=here.answers.sources[0],
            kind=kind,
            group=group,
            count=len(places),
            patients=len({here.answers.patients[at] for at in places}),
            decisions=dict(Counter(decisions[at] for at in places)),
            findings=dict(Counter(findings[at] for at in places)) if findings else {},
        )


def _decide(here: LeftOut, scale: Scale, point: OperatingPoint) -> list[str]:
    return [to_decision(one, point).value for one in scale.to_probabilities(here.answers.logits).tolist()]


def _find(here: LeftOut, cutoffs: Cutoffs | None) -> list[str]:
    named = [name_finding(one, cutoffs) for one in here.opacities]
    return [one.finding.value for one in named if one.finding]
