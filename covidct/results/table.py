"""Results as a table for people: the answer for a study in one line, below it what led to it.

What a line above says is not said again: neither a folder nor a sentence. Knows words and columns. Knows
nothing of where lines go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from covidct.inference.slice_result import find_plain_call
from covidct.inference.study_answers import StudyAnswer
from covidct.results.printable import to_printable
from covidct.series.types import Series, name_series
from covidct.types import Result, Status

INDENT = "    "


class Table:
    """Lines for answers as they come.

    `findings` (if the model gives findings) and `prevalence` (if one was given) add columns. Slices of series
    are listed only with `slices`; loose ones always, after the series if there are any (`has_series`).
    """

    def __init__(
        self,
        *,
        findings: bool = False,
        prevalence: float | None = None,
        slices: bool = False,
        has_series: bool = False,
    ):
        self._findings = findings
        self._prevalence = prevalence
        self._slices = slices
        self._has_series = has_series
        self._loose: list[Result] = []
        self._held: list[Result] = []
        self._said: set[str] = set()
        self._place = ""

    @property
    def header(self) -> str:
        """The first line."""
        worth = "" if self._prevalence is None else f"at {self._prevalence:g}"
        return self._to_line("decision", "probability", ("finding", "extent"), worth, "study or slice")

    def add(self, answer: StudyAnswer) -> Iterator[str]:
        """The lines that an answer adds. Slices of series wait for its answer, loose ones for all series."""
        result = answer.result
        if result.slice_index is not None:
            self._held += [_without_evidence(result)] if self._slices else []
        elif answer.series is not None:
            yield self._to_cells(result, self._name(result, answer.series.series))
            yield from self._explain(result)
            held, self._held = self._held, []
            yield from map(self._to_slice, held)
        elif self._has_series:
            self._loose.append(_without_evidence(result))
        else:
            yield self._to_cells(result, self._name(result))

    def finish(self) -> Iterator[str]:
        """The lines of loose slices that waited."""
        return (self._to_cells(result, self._name(result)) for result in self._loose)

    def _explain(self, result: Result) -> Iterator[str]:
        """What led to the answer for a series: its slices, what it lacks."""
        summary = result.series
        if summary is not None and summary.answered:
            yield f"{INDENT}{say_slices(result)}"
        sentences = [_to_detail(result)] if result.status is Status.OK else []
        sentences += [note.text for note in summary.notes] if summary else []
        for sentence in sentences:
            if sentence and self._is_new(sentence):
                yield f"{INDENT}{to_printable(sentence[0].upper() + sentence[1:])}"

    def _to_slice(self, result: Result) -> str:
        name = f"slice {(result.slice_index or 0) + 1}"
        return self._to_cells(result, f"{INDENT}{name}{self._say(result)}")

    def _to_cells(self, result: Result, what: str) -> str:
        made, opacity = result.prediction, result.opacity
        worth = made.at_prevalence if made else None
        return self._to_line(
            result.decision.value if result.decision else result.status.value,
            _to_cell(result.probability),
            (
                opacity.finding.value if opacity and opacity.finding else "-",
                f"{opacity.extent:.0%}" if opacity else "-",
            ),
            _to_cell(worth.probability if worth else None) if self._prevalence is not None else "",
            to_printable(what),
        )

    def _to_line(self, decision: str, probability: str, shown: tuple[str, str], worth: str, what: str) -> str:
        more = f"{worth:>12}" if worth else ""
        finding = f"   {shown[0]:<14}{shown[1]:>6}" if self._findings else ""
        return f"{decision:<14}{probability:>12}{more}{finding}   {what}"

    def _name(self, result: Result, series: Series | None = None) -> str:
        """What a line is about: a place, and of a series its name."""
        place = self._to_place(result.path, is_whole=series is not None)
        parts = [place, _to_name(series, is_needed=not place) if series else ""]
        about = ", ".join(part for part in parts if part)
        return about if series and result.status is Status.OK else f"{about}{self._say(result)}"

    def _to_place(self, path: str, *, is_whole: bool) -> str:
        """A path, without what the line above says of it."""
        folder = path if is_whole else str(PurePath(path).parent)
        is_known, self._place = folder == self._place and folder not in ("", "."), folder
        if not is_known:
            return path
        return "" if is_whole else f".../{PurePath(path).name}"

    def _say(self, result: Result) -> str:
        """Why there is no answer, or no decision; as a word where a line above has the sentence."""
        sentence = _to_detail(result)
        if not sentence:
            return ""
        if self._is_new(sentence):
            return f": {sentence}"
        if result.seems_turned:
            return ": looks turned"
        if result.prediction and (call := find_plain_call(result.prediction)):
            return f": plain call {call}"
        return "" if result.decision else f": {result.reason}"

    def _is_new(self, sentence: str) -> bool:
        is_new = sentence not in self._said
        self._said.add(sentence)
        return is_new


def say_slices(result: Result) -> str:
    """What the slices of a series came to; they are counted from 1, at the feet."""
    summary = result.series
    if summary is None or summary.evidence_share is None:
        return ""
    positive = round(summary.evidence_share * summary.answered) or "none"
    telling = ", ".join(str(at + 1) for at in summary.telling)
    return (
        f"{summary.answered} of {summary.slices} slices with lung answered, {positive} of them positive; "
        f"the most telling: {telling}"
    )


def _to_detail(result: Result) -> str:
    """A result's message without the path, which its line names."""
    return (result.message or "").removeprefix(f"{result.path}: ")


def _to_name(series: Series, *, is_needed: bool) -> str:
    """The series' number and description; where it has neither its UID, if it `is_needed`."""
    known = series.acquisition
    has_name = known.series_number is not None or known.series_description
    return f"series {name_series(series)}" if has_name or is_needed else ""


def _without_evidence(result: Result) -> Result:
    """A result that may wait: maps of many slices fill the memory."""
    made = result.prediction
    return result if made is None else replace(result, answer=replace(made, evidence=None))


def _to_cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
