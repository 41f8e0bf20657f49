"""The model card: what a bundle is, what it was made from and measured at, where it must not be used.

Made from the run's own records, so that no figure is typed by hand. After Mitchell et al., "Model
Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covidct.pipeline import Precision
from covidct.train.evaluate import Report
from covidct.train.tables import to_markdown

INTENDED = """\
## Intended use

Research on, and teaching about, the classification of axial chest-CT slices. Research use only; not a
medical device. It must not decide about a patient, rule COVID-19 out, or stand in for a PCR test or a
radiologist. It answers for one slice at a time and has not been measured on whole studies.

Out of scope: radiographs, other body parts, coronal or sagittal views, children. What is plainly no
picture is refused; whether a picture is a chest CT is not checked yet, so **this model answers for
photographs too**.
"""
LIMITS = """\
## Limits

- Positives and negatives come mostly from different hospitals, papers and scanners. The figures below
  are from the sources that it was trained on and flatter it; expect less from a hospital it never saw.
- Other pneumonias are few among the negatives: "positive" is nearer to "opacities as in COVID-19
  pneumonia" than to a diagnosis.
- `tune` chose the best epoch, the threshold and the band, so its figures are optimistic.
- Where a source has no patient ids, ten neighbours in number stand in for a patient: splits may leak and
  intervals may be too narrow.
- Probabilities hold for a mix with about as many positives as negatives, not for a screening prevalence.
"""
MAPS = {
    "mobilenet_v2": "The evidence map's mean, with the bias, is the logit.",
    "lung_net": (
        "It finds the lungs first and counts nothing else. "
        "The evidence map's mean, with the bias, is the logit."
    ),
    "six_layers": "Its dense layers know no place: its evidence map is one cell, the logit itself.",
}
# The terms of the sources that this project knows; of others the card says to look.
TERMS = {
    "covid-ct": "COVID-CT's figures are copyright of the papers they were cut from",
    "sarscov2-ct": "SARS-CoV-2 CT-scan is CC BY-NC-SA 4.0",
    "luna16": "LUNA16 is CC BY",
    "medseg": "the MedSeg volumes state no licence",
}


def to_card(config: Mapping[str, Any], reports: Mapping[Precision, Report], *, notes: str = "") -> str:
    """The card as Markdown. `config` is what `config.json` holds; `reports` are of `tune`, by precision."""
    parts = [
        f"# {config['name']} {config['version']}\n",
        "A light classifier of axial chest-CT slices: COVID-19 pneumonia (positive) or not.\n",
        INTENDED,
        _headline(reports["int8"]),
        LIMITS,
        _decision(config),
        *(_figures(name, report) for name, report in reports.items()),
        *([notes.rstrip() + "\n"] if notes else []),
        _data(config["training"]),
        _audit(config["training"]),
        _making(config["training"]),
        _licences(config["training"]),
    ]
    return "\n".join(parts)


def _headline(report: Report) -> str:
    sections = (report.overall, *report.sources)
    aucs = [f"{s.name} {s.evaluation.metrics['auc'].to_text(3)}" for s in sections if s.has_both_classes]
    return f"**AUC on `{report.protocol.split}`, at home (95 % interval): {'; '.join(aucs)}.**\n"


def _decision(config: Mapping[str, Any]) -> str:
    rows = [
        f"- Operating point *{point['name']}*: positive from a probability of {point['threshold']:.3f}; "
        f"indeterminate from {point['band'][0]:.3f} to {point['band'][1]:.3f}. "
        f"Sensitivity {point['sensitivity']:.3f}, specificity {point['specificity']:.3f} on all of `tune`."
        for point in config["operating_points"]
    ]
    temperature = f"- The logit is divided by a temperature of {config['temperature']:.3f}."
    return "\n".join(["## From logit to decision\n", temperature, *rows, ""])


def _figures(precision: str, report: Report) -> str:
    protocol = report.protocol
    return "\n".join(
        [
            f"## Figures on `{protocol.split}`, {precision} graph\n",
            f"95 % intervals by {protocol.resamples} bootstrap resamples of patients (seed {protocol.seed}), "
            "exact where a rate is 0 or 1. Positive class: COVID-19. Made by "
            f"`covidct evaluate BUNDLE --data MANIFEST.csv --split {protocol.split}"
            f"{'' if precision == 'int8' else ' --float'} --out DIR`.\n",
            to_markdown(report),
        ]
    )


def _data(training: Mapping[str, Any]) -> str:
    splits: Mapping[str, Mapping[str, tuple[int, int]]] = training["splits"]
    sources = sorted({source for by_source in splits.values() for source in by_source})
    lines = [f"| Source | {' | '.join(splits)} |", f"|---|{'---|' * len(splits)}"]
    for source in sources:
        cells = ("{} / {}".format(*by_source.get(source, (0, 0))) for by_source in splits.values())
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join(
        [
            "## Data\n",
            "Slices with COVID-19 / without, by split. Manifest SHA-256 "
            f"`{training['manifest_sha256'][:16]}…`.\n",
            *lines,
            "",
        ]
    )


def _audit(training: Mapping[str, Any]) -> str:
    """What `covidct audit` said of the data, and why they were used all the same."""
    found = training["audit"]
    lines = [f"- {check['title']}: **{check['level']}**. {check['headline']}" for check in found["checks"]]
    reason = f"Trained on all the same, because: {found['accepted']}\n" if found["accepted"] else ""
    return "\n".join([f"## Audit of the data: {found['level']}\n", *lines, "", *([reason] if reason else [])])


def _licences(training: Mapping[str, Any]) -> str:
    sources = sorted({source for by_source in training["splits"].values() for source in by_source})
    known = [TERMS[source] for source in sources if source in TERMS]
    others = [f"`{source}`" for source in sources if source not in TERMS]
    terms = [*known, *([f"look up those of {', '.join(others)}"] if others else [])]
    return (
        "## Licences\n\nThe code is Apache-2.0. The data have terms of their own "
        f"({'; '.join(terms)}): take these weights as for non-commercial research only. No image of "
        "the data is part of the bundle.\n"
    )


def _making(training: Mapping[str, Any]) -> str:
    recipe, parity, pretrained = training["recipe"], training["parity"], training["pretrained"]
    origin = f"`{pretrained['origin']}` (SHA-256 `{pretrained['sha256'][:16]}…`)" if pretrained else "none"
    versions = ", ".join(f"{name} {number}" for name, number in training["versions"].items())
    return "\n".join(
        [
            "## How it was made\n",
            f"- Recipe `{recipe['name']}`: {recipe['network']}, {recipe['size']} x {recipe['size']} pixels, "
            f"seed {recipe['seed']}, {sum(phase['epochs'] for phase in recipe['phases'])} epochs at most, "
            f"best one by `tune`. {MAPS[recipe['network']]}",
            f"- Pretrained backbone (ImageNet-1k): {origin}.",
            f"- Parity: float graph within {parity['float_logit']:.1e} of torch's logit; AUC on `tune` "
            f"{parity['float_auc']:.4f} float, {parity['int8_auc']:.4f} int8.",
            f"- Versions: {versions}.",
            "",
        ]
    )
