"""Answers for series as one HTML file for a browser or a printer: two A4 sheets each, nothing from outside.

Its look is in `page.html`. By default the page shows what a reader needs to find the study (UIDs, date,
series) and leaves out PatientID, AccessionNumber and the path, which may hold a name. Names and birth dates
are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from covidct import __version__
from covidct.inference.series_evidence import rank_of
from covidct.inference.series_result import say_measured
from covidct.results.finding_words import to_finding_sentence
from covidct.results.formats import name_model
from covidct.results.montage import Shown
from covidct.results.series_curve import draw_curve
from covidct.series.types import Acquisition, SeriesAnswer
from covidct.types import DISCLAIMER, Decision, Result

MAX_NOTES = 3
LONGEST = 90  # letters of a value: enough for a UID
_MEANS = {
    Decision.POSITIVE: "Opacities as in COVID-19 pneumonia in at least a tenth of the slices with lung.",
    Decision.NEGATIVE: "No opacities as in COVID-19 pneumonia in a tenth of the slices with lung.",
    Decision.INDETERMINATE: "Neither answer can be ruled out at the error rate that was asked for.",
}


@dataclass(frozen=True)
class Sheet:
    """What is shown of one series."""

    answer: SeriesAnswer
    telling: Sequence[Shown]
    overview: Sequence[Shown]


def to_page(sheets: Sequence[Sheet], *, headlines: Sequence[str], identify: bool = False) -> str:
    """The page; `headlines` are sentences on what the model was measured at."""
    environment = Environment(
        loader=PackageLoader("covidct.results", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    template = environment.get_template("page.html")
    return template.render(
        sheets=[_to_context(sheet, identify=identify) for sheet in sheets],
        headlines=headlines,
        version=__version__,
        disclaimer=DISCLAIMER,
    )


def _to_context(sheet: Sheet, *, identify: bool) -> dict[str, object]:
    answer = sheet.answer
    summary, result = answer.result.series, answer.result
    notes = [note.text for note in summary.notes] if summary else []
    refusal = (result.message or "").removeprefix(f"{result.path}: ")
    return {
        "prediction": result.prediction,
        "model": name_model(result.model),
        "summary": summary,
        "rank": rank_of(summary.answered if summary else 0),
        "means": _to_meaning(result) if result.decision else f"Refused: {refusal}.",
        "measured": say_measured(summary),
        "word": result.decision.value if result.decision else result.status.value,
        "notes": notes[:MAX_NOTES],
        "more_notes": max(0, len(notes) - MAX_NOTES),
        "curve": Markup(draw_curve(answer)),  # made in code, its words escaped
        "telling": sheet.telling,
        "overview": sheet.overview,
        "identity": _to_identity(answer, identify=identify),
        "acquisition": _to_acquisition(answer),
    }


def _to_meaning(result: Result) -> str:
    """What the lungs show, where the model says it; else what the decision is about."""
    shown = to_finding_sentence(result.opacity)
    return shown or (_MEANS[result.decision] if result.decision else "")


def _to_identity(answer: SeriesAnswer, *, identify: bool) -> list[tuple[str, str]]:
    known = answer.series.acquisition
    rows = [
        ("Study date", _to_date(known.study_date)),
        ("Series", _join(known.series_number, known.series_description)),
        ("StudyInstanceUID", known.study_uid),
        ("SeriesInstanceUID", known.series_uid),
    ]
    if identify:
        rows[:0] = [("PatientID", known.patient_id), ("AccessionNumber", known.accession_number)]
        rows.append(("Path", answer.series.path))
    return _shorten(rows)


def _to_acquisition(answer: SeriesAnswer) -> list[tuple[str, str]]:
    known = answer.series.acquisition
    return _shorten(
        [
            ("Scanner", _join(known.manufacturer, known.model_name)),
            ("Body part", known.body_part),
            ("Kernel", known.kernel),
            ("Tube voltage", _to_unit(known.kvp, "kVp")),
            ("Slices", str(len(answer.slices))),
            ("Slice thickness", _to_unit(known.slice_thickness_mm, "mm")),
            ("Distance of slices", _to_unit(known.spacing_mm, "mm")),
            ("Matrix", _to_matrix(known)),
            ("Pixel spacing", _to_spacing(known)),
        ]
    )


def _shorten(rows: Sequence[tuple[str, str | None]]) -> list[tuple[str, str]]:
    return [
        (name, "not given" if not value else value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…")
        for name, value in rows
    ]


def _join(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part is not None)


def _to_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.4g} {unit}"


def _to_matrix(known: Acquisition) -> str | None:
    return f"{known.columns} x {known.rows}" if known.rows and known.columns else None


def _to_spacing(known: Acquisition) -> str | None:
    spacing = known.pixel_spacing_mm
    return f"{spacing[0]:.3g} x {spacing[1]:.3g} mm" if spacing else None


def _to_date(date: str | None) -> str | None:
    """YYYYMMDD as people write it; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date and len(date) == 8 and date.isdecimal() else date
