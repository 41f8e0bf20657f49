"""`covidct calibrate`: a bundle and a hospital's labelled slices -> a bundle with their calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from textwrap import wrap

import click
import numpy as np

from covidct.data.folders import read_data
from covidct.data.lock import LOCKED
from covidct.data.manifest import UNNAMED, DataPlan, Manifest, Row, select_rows, to_label
from covidct.data.split import to_groups
from covidct.errors import BundleError, ManifestError
from covidct.evaluation.calibration.copies import join_copies
from covidct.evaluation.calibration.fit import Scale, Slices, choose_known
from covidct.evaluation.calibration.site import (
    Calibration,
    Comparison,
    check_enough,
    compare,
    fit_site,
    with_figures,
)
from covidct.evaluation.calibration.site_bundle import check_site, to_config, write_site_bundle
from covidct.evaluation.calibration.site_record import Site
from covidct.evaluation.calibration.site_table import to_text, to_verdict
from covidct.evaluation.predictions import INTERVAL_BLOCK, predict_rows
from covidct.evaluation.rows import UNKNOWN_SOURCE, choose_sources, plan_of
from covidct.inference.bundle import Bundle
from covidct.inference.classifier import Classifier
from covidct.inference.config import Config, Training
from covidct.types import Result, Status

WIDTH = 100
Labels = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True)
class Scored:
    """Slices with their logits, and the `rows` they came from; `left_out` counts the others by why."""

    slices: Slices
    rows: tuple[Row, ...]
    left_out: Mapping[str, int]


def run_calibrate(
    path: Path, data: Path, out: Path, *, sources: Sequence[str], labels: Labels, name: str, accept: str
) -> Iterator[str]:
    """Calibrate the bundle at `path`, and write it to `out`; gives the lines of the report.

    `labels` are those of the hospital that mean COVID-19 and something else, the bundle's where none are
    given.
    The report comes before anything is written. Raises BundleError where `out` is there already or the
    calibration is no better and nobody accepts that, ManifestError for slices that cannot be used.
    """
    classifier = Classifier.load(path)
    bundle = classifier.bundle
    check_site(bundle, name, out)
    plan = plan_of(classifier).with_labels(*labels)
    manifest = read_data(data, plan)
    scored = score_manifest(classifier, manifest, replace(plan, sources=choose_sources(manifest, sources)))
    # Before the rest: who has too few patients left wants to know where the others went.
    yield from _wrap(_tell_left_out(scored.left_out))
    check_enough(scored.slices, where=str(data))
    comparison = compare(scored.slices, to_calibration(bundle.config))
    site = _to_site(bundle, manifest, scored, name=name, accept=accept)
    yield from _introduce(site, comparison.slices, comparison.patients)
    yield from ("", to_text(comparison), "")
    yield from _wrap(to_verdict(comparison))
    doubt = find_doubt(comparison, path)
    if doubt and not accept:
        raise BundleError(
            f"{out}: not written, as {doubt}, or say why to write it anyway with --accept REASON"
        )
    calibration = with_figures(fit_site(scored.slices), comparison.after)
    accepted = replace(site, accepted=accept if doubt else "")
    write_site_bundle(bundle, to_config(bundle, accepted, calibration, comparison), out)


def find_doubt(comparison: Comparison, path: Path) -> str:
    """Why a calibration should not be used, "" where nothing speaks against it.

    Raises ManifestError where the model ranks slices the wrong way round: no reason makes up for that.
    """
    auc = comparison.auc
    value = auc.value or 0.0
    low, high = (value if end is None else end for end in (auc.low, auc.high))
    if high < 0.5:
        raise ManifestError(
            f"the model gives slices with COVID-19 lower values than others: AUC {auc.to_text()}; the labels "
            "look swapped. Check them, and --positive and --negative"
        )
    if low <= 0.5:
        return (
            f"on these slices the model may be no better than chance: AUC {auc.to_text()}; check the "
            "labels, label slices of more patients"
        )
    if not comparison.is_better:
        return f"probabilities here are no better than before; keep {path}, label slices of more patients"
    return ""


def to_calibration(config: Config) -> Calibration:
    """The calibration that a bundle has."""
    return Calibration(Scale(config.temperature, config.shift), config.operating_points, config.prevalence)


def score_manifest(classifier: Classifier, manifest: Manifest, plan: DataPlan) -> Scored:
    """The labelled slices of a plan that can be calibrated on, through the bundle's graph and gate.

    Raises ManifestError where no slice has an answer, and where one picture stands under two patients.
    """
    rows = [row for row in select_rows(manifest, plan) if row.split != LOCKED]
    results = predict_rows(classifier, rows)
    for result in results:
        if result.status is Status.ERROR:
            click.echo(f"not read: {result.message}", err=True)
    answered = np.array([result.prediction is not None for result in results], bool)
    if not answered.any():
        raise ManifestError(
            f"{manifest.path}: none of {len(rows)} slices can be calibrated on; those in split {LOCKED} are "
            "left out, and the gate refuses what is not an axial chest CT: see covidct predict"
        )
    kept = [row for row, fine in zip(rows, answered, strict=True) if fine]
    logits = np.array([made.logit for result in results if (made := result.prediction)], np.float64)
    patients = np.array(to_groups(rows, block=INTERVAL_BLOCK))[answered].tolist()
    labels = np.array([to_label(row, plan) for row in kept], np.int64)
    slices = Slices(logits, labels, [row.source for row in kept], patients)
    known = choose_known(slices)
    chosen = tuple(row for row in kept if row.source in set(known.sources))
    joined = replace(known, patients=join_copies(chosen, known.patients))
    left_out = _count_left_out(manifest, plan, results) | _count_one_sided(len(kept) - len(chosen))
    return Scored(joined, chosen, left_out)


def _count_left_out(manifest: Manifest, plan: DataPlan, results: Sequence[Result]) -> dict[str, int]:
    """Slices of the chosen sources by why they are not used."""
    why: Counter[str] = Counter()
    for row in manifest.rows:
        if row.source not in plan.sources:
            continue
        if row.label not in plan.labels:
            why[f"labelled {row.label!r}" if row.label else "without a label"] += 1
        elif plan.exclude_note and plan.exclude_note in row.note:
            why[f"noted {plan.exclude_note!r}"] += 1
        elif row.split == LOCKED:
            why[f"in split {LOCKED}"] += 1
    for result in results:
        if result.status is not Status.OK:
            why["not read" if result.status is Status.ERROR else f"refused as {result.reason}"] += 1
    return dict(why)


def _count_one_sided(count: int) -> dict[str, int]:
    return {"of sources with one label only": count} if count else {}


def _to_site(bundle: Bundle, manifest: Manifest, scored: Scored, *, name: str, accept: str) -> Site:
    sources = tuple(sorted({row.source for row in scored.rows}))
    return Site(
        name=name,
        day=date.today().isoformat(),
        manifest_digest=manifest.digest,
        sources=sources,
        left_out=scored.left_out,
        without_ids=sum(not row.patient_id for row in scored.rows),
        taught=_find_taught(bundle.config.training, manifest, sources),
        accepted=accept,
    )


def _find_taught(training: Training, manifest: Manifest, sources: Sequence[str]) -> tuple[str, ...]:
    """Sources that the model may have learned from: of its own manifest, or of the same name."""
    if training.manifest_digest == manifest.digest and not training.sources:
        return tuple(sources)
    return tuple(source for source in sources if source in training.sources)


def _introduce(site: Site, slices: tuple[int, int], patients: tuple[int, int]) -> Iterator[str]:
    """What is calibrated on, what is left out, and what to beware of."""
    lines = [
        f"{slices[0]} slices with COVID-19 of {patients[0]} patients, {slices[1]} without of {patients[1]}; "
        f"sources: {', '.join(site.sources)}."
    ]
    if site.without_ids:
        lines.append(
            f"{site.without_ids} slices have no patient id: ten slices with neighbouring numbers stand in "
            "for a patient, so intervals may be too narrow."
        )
    if site.taught:
        lines.append(
            f"Warning: the model may have learned from these slices ({', '.join(site.taught)}): then it is "
            "too sure of them, and what is fitted to them will not hold for new patients."
        )
    if UNNAMED in site.sources:
        lines.append(f"{UNKNOWN_SOURCE}: then it would be too sure of them.")
    yield from _wrap(lines)
    yield from _wrap(
        [
            "Before: the bundle as it is. After: each tenth of the patients, measured with a calibration "
            "from the others. In parentheses: 95 % intervals over patients. ECE and Brier score hold for the "
            "mix of these slices. Covered: slices whose prediction set holds the truth."
        ]
    )


def _tell_left_out(left_out: Mapping[str, int]) -> list[str]:
    return (
        [f"Left out: {', '.join(f'{count} {why}' for why, count in left_out.items())}."] if left_out else []
    )


def _wrap(sentences: Sequence[str]) -> list[str]:
    return [line for sentence in sentences for line in wrap(sentence, WIDTH, subsequent_indent="  ")]
