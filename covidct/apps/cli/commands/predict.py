"""`covidct predict`: from what was named on the command line to lines on standard output.

Knows streams, progress and exit codes.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from covidct.apps.cli.commands.predict_dicom import fetch, hand_out
from covidct.apps.cli.predict_options import Objects, Output
from covidct.images.files import is_document, parse_list
from covidct.inference.classifier import Classifier
from covidct.inference.study_answers import StudyAnswer, count_answers
from covidct.results.formats import (
    csv_header,
    to_csv_line,
    to_json_line,
    to_summary,
    to_worth_sentence,
)
from covidct.results.table import Table
from covidct.series.study import read_study
from covidct.series.types import SeriesAnswer, Study
from covidct.types import DISCLAIMER, Kind, ModelChoice, Status

LONG = 50  # slices from which a progress bar is worth its line


@dataclass(frozen=True)
class Form:
    """How results are written: the first line, where there is one, those of each answer, and the last."""

    header: str
    to_lines: Callable[[StudyAnswer], Iterable[str]]
    finish: Callable[[], Iterable[str]] = tuple


def run_predict(
    names: Sequence[str], *, output: Output, objects: Objects, all_series: bool, choice: ModelChoice
) -> int:
    """Predict and print; the exit code: 1 where a slice could not be read or there is none, else 0."""
    # At the end the system takes back all memory at once: looking through it for garbage first takes as long
    # as answering for two slices.
    atexit.register(gc.freeze)
    load, prevalence = Classifier.begin(choice), choice.prevalence
    form = output.form or ("table" if sys.stdout.isatty() else "jsonl")
    with ThreadPoolExecutor(1) as other, fetch(objects) as fetched:
        loading = other.submit(load)  # the graph, while headers are read
        study = read_study([*_expand(names), *fetched], all_series=all_series)
        classifier = loading.result()
        if study.skipped:
            click.echo(_say_skipped(study.skipped), err=True)
        answers: list[SeriesAnswer] = []
        found = _with_progress(
            classifier.predict_study(study, heatmaps=output.heatmaps), count_answers(study)
        )
        counts = _print_all(_keep_series(found, answers), _to_form(form, classifier, output, study))
        read = [answer for answer in answers if answer.slices]
        failed = output.report is not None and not _write_report(
            output.report, read, classifier, identify=output.identify
        )
        hand_out(objects, answers)
    if prevalence is not None and read:
        click.echo("--prevalence is about slices: the answers for series are given without it.", err=True)
    if prevalence is not None and counts:
        click.echo(to_worth_sentence(classifier.operating_point, prevalence), err=True)
    if not counts:
        click.echo("Nothing found: give slices or series, or folders or ZIP archives of them.", err=True)
    click.echo(to_summary(counts), err=True)
    click.echo(DISCLAIMER, err=True)
    return 1 if failed or counts[Kind.SLICE, Status.ERROR] or not counts else 0


def _keep_series(found: Iterable[StudyAnswer], kept: list[SeriesAnswer]) -> Iterator[StudyAnswer]:
    """The answers as they come; those for series are `kept` for report and DICOM objects."""
    for answer in found:
        if answer.series is not None:
            kept.append(answer.series)
        yield answer


def _write_report(
    path: Path, answers: Sequence[SeriesAnswer], classifier: Classifier, *, identify: bool
) -> bool:
    """Write the page; False, with a word on standard error, where there is no series for one."""
    if not answers:
        click.echo(f"No series, so no report: {path} is not written.", err=True)
        return False
    from covidct.apps.cli.commands.predict_report import write_report

    write_report(path, answers, classifier.bundle, identify=identify)
    click.echo(f"Report: {path}", err=True)
    return True


def _say_skipped(names: Sequence[str]) -> str:
    """What was skipped: documents by number, everything else by name, because it may have been wanted."""
    strange = [name for name in names if not is_document(name)]
    count = len(names) - len(strange)
    documents = f"{count} {'document' if count == 1 else 'documents'}"
    if not strange:
        return f"Skipped: {documents}."
    return f"Skipped, not named like slices: {_name_some(strange)}{f'; and {documents}' if count else ''}."


def _name_some(names: Sequence[str]) -> str:
    """The first three names, and how many there are beyond."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(Path(name).name for name in names[:3]) + more


def _expand(names: Iterable[str]) -> Iterator[str]:
    """Names as given, `-` replaced by the lines of standard input."""
    for name in names:
        if name == "-":
            yield from parse_list(sys.stdin.buffer.read())
        else:
            yield name


def _print_all(answers: Iterable[StudyAnswer], form: Form) -> Counter[tuple[Kind, str]]:
    if form.header:
        click.echo(form.header)
    counts: Counter[tuple[Kind, str]] = Counter()
    for answer in answers:
        for line in form.to_lines(answer):
            click.echo(line)
        counts[answer.result.kind, answer.result.decision or answer.result.status] += 1
    for line in form.finish():
        click.echo(line)
    return counts


def _to_form(name: str, classifier: Classifier, output: Output, study: Study) -> Form:
    if name == "csv":
        return Form(csv_header(), lambda answer: [to_csv_line(answer.result)])
    if name == "jsonl":
        return Form("", lambda answer: [to_json_line(answer.result)])
    table = Table(
        findings=classifier.bundle.config.findings is not None,
        prevalence=classifier.prevalence,
        slices=output.slices,
        has_series=bool(study.series),
    )
    return Form(table.header, table.add, table.finish)


def _with_progress(answers: Iterator[StudyAnswer], count: int) -> Iterator[StudyAnswer]:
    """Answers under a bar on standard error, where the work is long and the output goes elsewhere."""
    if count < LONG or sys.stdout.isatty() or not sys.stderr.isatty():
        yield from answers
        return
    with click.progressbar(answers, length=count, label="predicting", file=sys.stderr) as bar:
        for answer in bar:
            bar.length = (bar.length or 0) + answer.more
            yield answer
