"""The answer for a series in sentences, to be stored in an archive: they name no file and no patient.

Knows results and how to say them. Knows nothing of DICOM.
"""

from __future__ import annotations

from collections.abc import Iterable

from covidct.results.finding_words import to_finding_sentence
from covidct.series.types import SeriesAnswer
from covidct.types import DISCLAIMER, Result


def to_sentences(answer: SeriesAnswer) -> list[str]:
    """The report for people: answer, notes, what it is for. Names no file, no patient."""
    result = answer.result
    own = [
        to_conclusion(result),
        *without_paths(answer, (result.message,)),
        *without_paths(answer, _notes(result)),
        *_to_prevalence(answer),
    ]
    return [*dict.fromkeys(own), DISCLAIMER]


def to_conclusion(result: Result) -> str:
    """The answer in a sentence or two."""
    if (made := result.prediction) is None:
        return f"COVID-19: not answered ({result.reason.value if result.reason else result.status.value})."
    share = ""
    if (summary := result.series) and summary.evidence_share is not None:
        share = (
            f" {summary.answered} of {summary.slices} slices answered, "
            f"{summary.evidence_share:.0%} of them decided positive."
        )
    shown = to_finding_sentence(made.opacity)
    finding = f" {shown}" if shown else ""
    return f"COVID-19: {made.decision.value}, probability {made.probability:.3f}.{finding}{share}"


def _notes(result: Result) -> tuple[str, ...]:
    return tuple(note.text for note in result.series.notes) if result.series else ()


def without_paths(answer: SeriesAnswer, sentences: Iterable[str | None]) -> list[str]:
    """Sentences without paths, which do not belong in a PACS."""
    paths = sorted(
        {answer.series.path, *(item.path for item in answer.series.instances)}, key=len, reverse=True
    )
    kept = []
    for sentence in filter(None, sentences):
        for path in paths:
            sentence = sentence.replace(f"{path}: ", "").replace(path, "a file")
        kept.append(sentence[:1].upper() + sentence[1:])
    return kept


def _to_prevalence(answer: SeriesAnswer) -> list[str]:
    """What a prevalence that was asked for is about; nothing where none was."""
    made = [item.prediction.at_prevalence for item in answer.slices if item.prediction is not None]
    asked = {worth.prevalence for worth in made if worth is not None}
    return [
        f"Probabilities at a prevalence are those of slices where {prevalence:g} of such slices show "
        "COVID-19; the series has none."
        for prevalence in sorted(asked)
    ]
