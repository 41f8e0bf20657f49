"""The model card: what a bundle is, what it was made from and measured at, where it must not be used.

Made from what `config.json` records and from the files of later measurements, so that no figure is typed by
hand and the card can be made again at any time. After Mitchell et al., "Model Cards for Model Reporting"
(FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from covidct.evaluation.calibration.site_card import add_site
from covidct.evaluation.card.checklist_item import EXAMINED, EXTERNAL, FAILURES
from covidct.evaluation.card.checklists import sum_up
from covidct.evaluation.card.pooled import describe_pool
from covidct.evaluation.card.provenance import (
    describe_audit,
    describe_data,
    describe_licences,
    describe_making,
)
from covidct.evaluation.card.record import Record
from covidct.evaluation.few_cases import tell_few
from covidct.evaluation.leave_one_out.table import INTERVALS, Standings, to_markdown
from covidct.evaluation.markdown import to_markdown_table
from covidct.evaluation.report import Report
from covidct.evaluation.report_text import to_markdown as to_report
from covidct.evaluation.report_text import to_markdown_points
from covidct.evaluation.sections import Section
from covidct.inference.config import Config
from covidct.types import OperatingPoint

TITLE = """\
A light deep-learning classifier of axial chest-CT slices: COVID-19 pneumonia (positive) or not. How it was
made, and its retrospective evaluation.
"""
INTENDED = """\
## Intended use

Research on, and teaching about, the classification of axial chest-CT slices. Research use only; not a
medical device. {series}

## Misuse

It must not decide about a patient, rule COVID-19 out, set an order of urgency, or stand in for a PCR test
or a radiologist. Nor is it a measure of severity: a higher probability is no larger lesion. Whoever tries it
in a hospital of their own measures it there first, on patients of their own (`covidct evaluate`).

Out of scope: radiographs, other body parts, coronal or sagittal views, children, slices without lung.
{gate}
"""
NO_GATE = """\
What is plainly no picture is refused; whether a picture is a chest CT is not checked, so **this model
answers for photographs too**."""
GATE = "A gate refuses most of these, with a reason; it errs, too."
LIMITS = """\
## Limits

- Positives and negatives come mostly from different hospitals, papers and scanners. Figures on sources that
  it was trained on flatter it; expect those from the sources left out, or less, from a hospital it never saw.
- Other pneumonias are few among the negatives: "positive" is nearer to "opacities as in COVID-19
  pneumonia" than to a diagnosis.
- {tuned}
- Where a source has no patient ids, neighbours in number stand in for a patient: splits may leak and
  intervals may be too narrow.
- Probabilities hold for a mix with about as many positives as negatives, not for a screening prevalence.
- Age, sex, ethnicity, severity, vaccination and variant are unknown for most slices: whether it is fair to
  everyone cannot be known from these data.
"""
SLICES = "It answers for one slice at a time and has not been measured on whole studies."
SERIES = "It answers for slices and for series; few whole series were there to measure it on."
OPEN_EXTERNAL = """\
Not measured for this card. `covidct benchmark RECIPE --leave-one-source-out` measures it, and
`covidct card BUNDLE --benchmark DIR/benchmark.json` brings it in. Until then take no figure below for what
another hospital would see.
"""
OPEN_EXAMINED = """\
Not examined for this card. `covidct examine BUNDLE` does so, and `covidct card BUNDLE --examination
DIR/examination.json` brings it in.
"""
OPEN_GATE = """\
Not measured for this card. `covidct gate BUNDLE --json FILE` does so, and `covidct card BUNDLE --gate FILE`
brings it in.
"""
GATED = """\
By pixels alone; of real slices those with lung in view. Pictures without a split taught the gate, and so did
those of `train`: what it refuses of kinds of pictures that it never saw may be less.

{table}
"""
SETS = (
    "The promise of the sets (split conformal, by class) holds for a random slice of a patient like those "
    "of `calibrate`; where that split lacked a label, `tune` stood in, and nothing is promised. It does not "
    "hold for a single patient, nor in another hospital: there the coverage on external sources counts."
)
POOLED_SETS = (
    "The sets are split conformal sets by class, made on sources left out of training. How far they hold in "
    "another hospital can be told only from those sources (below); for a single patient they promise nothing."
)
SUBGROUP_HEAD = ("Group", "Slices", "COVID-19", "AUC", "Sensitivity", "Specificity", "ECE")


@dataclass(frozen=True)
class Later:
    """What is measured after a bundle was made, each None or "" where it was not.

    All are Markdown; `notes` replaces what the run was given.
    """

    examination: str = ""
    gate: str = ""
    failures: str = ""
    notes: str | None = None


def to_card(record: Record, later: Later | None = None) -> str:
    """The card as Markdown."""
    card = _to_card(record, later or Later())
    return add_site(card, record.model, record.site) if record.site else card


def _to_card(record: Record, later: Later) -> str:
    """The card of the calibration that training made."""
    config, making, pool = record.config, record.making, record.pool
    notes = record.notes if later.notes is None else later.notes
    parts = [
        f"# {config.name} {config.version}\n",
        TITLE,
        _headline(record.figures["float"]),
        *([f"**{mark}**\n"] if (mark := tell_few(record.figures["float"])) else []),
        *([_headline_external(record.external, making.recipe.name)] if record.external else []),
        INTENDED.format(
            gate=GATE if config.gate else NO_GATE, series=SERIES if pool and pool.series else SLICES
        ),
        LIMITS.format(tuned=_say_what_tune_chose(record)),
        _external(record.external),
        _decision(config, pooled=pool is not None),
        *([describe_pool(pool)] if pool else []),
        *(_figures(name, report) for name, report in record.figures.items()),
        _subgroups(record.subgroups, *next(iter(record.figures.items()))),
        f"## What it looks at, and how steady it is\n\n{later.examination or OPEN_EXAMINED}",
        *([_gate(later)] if later.gate or config.gate else []),
        *([f"## Failures on synthetic slices\n\n{later.failures}"] if later.failures else []),
        *([notes.rstrip() + "\n"] if notes.strip() else []),
        describe_data(making),
        describe_audit(making.audit),
        describe_making(making),
        sum_up(without=_unmeasured(later, record.external)),
        describe_licences(making),
    ]
    return "\n".join(parts)


def _gate(later: Later) -> str:
    return "## What it refuses\n\n" + (GATED.format(table=later.gate) if later.gate else OPEN_GATE)


def _unmeasured(later: Later, standings: Standings | None) -> frozenset[str]:
    """What the card cannot answer, as nobody measured it."""
    measured = {
        EXTERNAL: standings is not None,
        EXAMINED: bool(later.examination),
        FAILURES: bool(later.failures),
    }
    return frozenset(name for name, done in measured.items() if not done)


def _say_what_tune_chose(record: Record) -> str:
    """Why figures on `tune` flatter."""
    pooled, by_last = record.pool is not None, record.making.recipe.keeps_last
    if pooled and by_last:
        return "`tune` chose nothing, but is of sources that the model was trained on: its figures flatter."
    chosen = ["the thresholds"] * (not pooled) + ["the epoch"] * (not by_last)
    return f"`tune` chose {' and '.join(chosen)}, so its figures are optimistic."


def _headline(report: Report) -> str:
    sections = (report.overall, *report.sources)
    aucs = [f"{s.name} {s.evaluation.metrics['auc'].to_text(3)}" for s in sections if s.has_both_classes]
    where = f"`{report.protocol.split}`, sources seen in training"
    return f"**AUC on {where} (95 % interval): {'; '.join(aucs)}.**\n"


def _headline_external(standings: Standings, name: str) -> str:
    """The figures of the recipe `name`; of all recipes where that one was not benchmarked."""
    rows = [row for row in standings.rows if row.recipe == name] or list(standings.rows)
    measured = [row for row in rows if row.metrics["auc"].value is not None]
    if not measured:
        return "No source left out of training had both labels, so there is no AUC on external sources.\n"
    aucs = [
        f"{row.left_out}{'' if row.recipe == name else f' (recipe {row.recipe})'} "
        f"{row.metrics['auc'].to_text(3)}"
        for row in measured
    ]
    return f"**AUC on external sources, left out of training (95 % interval): {'; '.join(aucs)}.**\n"


def _external(standings: Standings | None) -> str:
    title = "## External sources: left out of training\n\n"
    if standings is None:
        return title + OPEN_EXTERNAL
    accepted = f" Trained where the audit of the others fails, too, because: {standings.accepted}." * bool(
        standings.accepted
    )
    return (
        f"{title}Each recipe is trained on all other sources under several seeds, and every labelled slice "
        "of the one left out is scored through the exported graph; epoch, threshold and temperature know "
        f"the other sources alone. The bundle itself is trained on all of them. Intervals, {INTERVALS}. The "
        "shortcut probes learn within the source, from what holds no medicine or next to none: a figure "
        f"below theirs shows no reading of lungs by itself. Manifest SHA-256 `{standings.manifest_digest}`."
        f"{accepted}\n\n{to_markdown(standings)}"
    )


def _decision(config: Config, *, pooled: bool) -> str:
    where = "sources left out of training" if pooled else "`calibrate`"
    scale = (
        f"- Probability = sigmoid((logit − {config.shift:.3f}) / {config.temperature:.3f}), fitted on "
        f"{where}, for a mix where {config.prevalence:.0%} of the slices show COVID-19."
    )
    points = [_point(one, where="those sources" if pooled else "`tune`") for one in config.operating_points]
    sets = POOLED_SETS if pooled else SETS
    return "\n".join(["## From logit to decision\n", scale, *points, f"- {sets}", ""])


def _point(point: OperatingPoint, *, where: str) -> str:
    (low, high), alpha, coverage = point.band, point.alpha, point.coverage
    return (
        f"- Operating point *{point.name}*: positive above a probability of {high:.3f}, negative below "
        f"{low:.3f}, indeterminate from one to the other, where the prediction set holds both labels. Sets "
        f"are made to hold the truth for {1 - alpha[0]:.0%} of slices with COVID-19 and {1 - alpha[1]:.0%} "
        f"of others; on {where} they do for {coverage[0]:.0%} and {coverage[1]:.0%}. At the threshold alone, "
        f"{point.threshold:.3f}: sensitivity {point.sensitivity:.3f}, specificity "
        f"{point.specificity:.3f} on what of {where} is answered."
    )


def _figures(precision: str, report: Report) -> str:
    protocol = report.protocol
    return "\n".join(
        [
            f"## Figures on `{protocol.split}`, {precision} graph\n",
            f"95 % intervals by {protocol.resamples} bootstrap resamples of patients (seed {protocol.seed}), "
            "exact where a rate is 0 or 1. Positive class: COVID-19. Made by "
            f"`covidct evaluate BUNDLE --data MANIFEST.csv --split {protocol.split}"
            f"{'' if precision == 'float' else ' --int8'} --out DIR`.\n",
            to_report(report),
            *([to_markdown_points(report)] if report.protocol.points else []),
        ]
    )


def _subgroups(groups: Mapping[str, tuple[Section, ...]], precision: str, report: Report) -> str:
    """By what the manifest or the file tells of a slice, on the split and graph of the first figures."""
    lines = [
        f"## Subgroups on `{report.protocol.split}`, {precision} graph\n",
        "Source: see above. Size, format and border of the file stand in for scanner and cutting, which "
        "nobody recorded; groups differ in their sources, too, so a difference need not be the group's.\n",
    ]
    for name, sections in groups.items():
        rows = [
            [section.name, f"{section.evaluation.n}", f"{section.evaluation.positives}"]
            + [
                section.evaluation.metrics[key].to_text()
                for key in ("auc", "sensitivity", "specificity", "ece")
            ]
            for section in sections
        ]
        lines += [to_markdown_table((name, *SUBGROUP_HEAD[1:]), rows), ""]
    if absent := [name for name in ("Age", "Sex") if name not in groups]:
        lines += [f"Not known for these slices: {', '.join(absent).lower()}.", ""]
    return "\n".join(lines)
