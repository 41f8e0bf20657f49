"""Evaluation: from scored slices to a report, and the report's files.

What is measured is the exported graph's answers, as people get them, not the network's: nothing here needs
torch. Knows how a report is written. Knows nothing of how slices are scored.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.evaluation import plots
from covidct.evaluation.mistakes import Mistake, Picture, find_mistakes, plot_mistakes
from covidct.evaluation.sections import Decisions, Scored, Section, to_sections
from covidct.stats.metrics import Evaluation
from covidct.stats.resampling import RESAMPLING, Resampling
from covidct.types import OperatingPoint

SCHEMA = 1
# Where PPV and NPV are given unless asked otherwise: rare, and as often as not.
PREVALENCES = (0.05, 0.5)
COLUMNS = ("path", "label", "source", "patient", "probability", "decision")
INTERVALS = (
    "95 %: percentiles over resampled patients (slices where no patient is known), drawn within patients "
    "with and without COVID-19 slices; exact (Clopper-Pearson) over patients where every resample gives 0 or "
    "1; for the ECE as far as its bins move in 95 % of the resamples"
)


@dataclass(frozen=True)
class Protocol:
    """What was evaluated on what, and how.

    `manifest_digest` is the manifest's SHA-256; `threshold` in [0, 1] and `band`, the (low, high) around it
    that stays indeterminate, are those of the operating point; `seed` and `resamples` are of the intervals.
    `points` are all operating points that are measured, and `prevalences`, in (0, 1), where their PPV and NPV
    are given.
    """

    bundle: str
    version: str
    manifest_digest: str
    split: str
    threshold: float
    band: tuple[float, float] | None = None
    seed: int = RESAMPLING.seed
    resamples: int = RESAMPLING.resamples
    points: tuple[OperatingPoint, ...] = ()
    prevalences: tuple[float, ...] = PREVALENCES


@dataclass(frozen=True)
class Report:
    """Everything that was measured: `overall`, and each of the `sources` by name; and the worst `mistakes`.

    `pictures` are those of the mistakes, one each, None where there is none any more; or empty.
    """

    protocol: Protocol
    overall: Section
    sources: tuple[Section, ...]
    mistakes: tuple[Mistake, ...] = ()
    pictures: tuple[Picture | None, ...] = field(default=(), compare=False, repr=False)


def to_report(rows: Sequence[Scored], protocol: Protocol) -> Report:
    """Measure scored slices. Raises ValueError without rows or for values out of range."""
    overall, *sources = to_sections(
        rows,
        threshold=protocol.threshold,
        resampling=Resampling(protocol.resamples, protocol.seed),
        points=protocol.points,
        prevalences=protocol.prevalences,
    )
    return Report(protocol, overall, tuple(sources), find_mistakes(rows, threshold=protocol.threshold))


def write_report(report: Report, out: Path) -> None:
    """Write evaluation.json, scores.csv and four plots into the folder `out`, replacing older ones.

    Where the report has pictures, mistakes.png too; it shows slices, and is to be kept as they are.
    All are made beside their places first and renamed when the last one is done, evaluation.json last: a run
    that breaks off leaves what was there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".writing-") as folder:
        beside = Path(folder)
        _write_plots(report, beside)
        _write_scores(report.overall.rows, beside / "scores.csv")
        text = json.dumps(to_json(report), indent=2, ensure_ascii=False, allow_nan=False)
        (beside / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        for path in sorted(beside.iterdir(), key=lambda path: path.suffix == ".json"):
            path.replace(out / path.name)


def to_json(report: Report) -> dict[str, object]:
    """The report as plain values; undefined ones are None, with their reason."""
    protocol = {**asdict(report.protocol), "n": report.overall.evaluation.n, "intervals": INTERVALS}
    return {
        "schema": SCHEMA,
        "protocol": protocol,
        "overall": _section(report.overall),
        "sources": [_section(section) for section in report.sources],
        "mistakes": [_mistake(mistake) for mistake in report.mistakes],
    }


def _section(section: Section) -> dict[str, object]:
    return {
        "name": section.name,
        **_evaluation(section.evaluation),
        "patients": section.patients,
        "slices_without_patient": section.unidentified,
        "decisions": _decisions(section.decisions) if section.decisions else None,
        "ece_by_chance": section.chance_ece,
        "points": [asdict(point) for point in section.points],
        "notes": list(section.notes),
    }


def _mistake(mistake: Mistake) -> dict[str, object]:
    row = mistake.row
    return {
        "path": row.path,
        "source": row.source,
        "label": row.label,
        "probability": row.probability,
        "loss": mistake.loss,
        "wrong": mistake.wrong,
    }


def _evaluation(evaluation: Evaluation) -> dict[str, object]:
    values = asdict(evaluation)
    # The units that were resampled: patients, and slices without one.
    return {
        "n": values.pop("n"),
        "positives": values.pop("positives"),
        "groups": values.pop("patients"),
        **values,
    }


def _decisions(decisions: Decisions) -> Mapping[str, object]:
    return {
        **{name: value for name, value in asdict(decisions).items() if name != "decided"},
        "indeterminate_share": decisions.indeterminate_share,
        "decided": _evaluation(decisions.decided),
    }


def _write_plots(report: Report, folder: Path) -> None:
    overall, point = report.overall, report.protocol
    # One source alone is the whole: drawn once.
    sources = report.sources if len(report.sources) > 1 else ()
    plots.plot_roc((overall, *sources), folder / "roc.png", threshold=point.threshold)
    plots.plot_calibration(overall, folder / "calibration.png")
    plots.plot_confusion(overall, folder / "confusion.png", threshold=point.threshold)
    plots.plot_scores(report.sources, folder / "scores.png", threshold=point.threshold, band=point.band)
    if report.pictures:
        place, n = folder / "mistakes.png", overall.evaluation.n
        plot_mistakes(report.mistakes, report.pictures, place, n=n, threshold=point.threshold)


def _write_scores(rows: Sequence[Scored], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
