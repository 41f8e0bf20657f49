"""`covidct predict`: from what was named on the command line to lines on standard output.

Knows streams, progress and exit codes.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from covidct.files import find_all
from covidct.pipeline import Classifier, Precision
from covidct.report import (
    DISCLAIMER,
    csv_header,
    table_header,
    to_csv_line,
    to_json_line,
    to_summary,
    to_table_line,
)
from covidct.types import Result, Status

Form = tuple[str, Callable[[Result], str]]
LONG = 50  # slices from which a progress bar is worth its line


def run_predict(
    names: Sequence[str],
    *,
    form: str,
    heatmaps: Path | None,
    model: Path | None,
    precision: Precision,
    operating_point: str | None,
    prevalence: float | None,
    threads: int | None,
) -> int:
    """Predict and print; the exit code: 1 where a slice could not be read or there is none, else 0."""
    classifier = Classifier.load(
        model,
        precision=precision,
        operating_point=operating_point,
        prevalence=prevalence,
        threads=threads,
    )
    found = find_all(Path(name) for name in _expand(names))
    if found.skipped:
        click.echo(f"Passed over, no slices by name: {_name_some(found.skipped)}.", err=True)
    results = classifier.predict_many(found.paths, heatmaps=heatmaps)
    counts = _print_all(_with_progress(results, len(found.paths)), _forms(prevalence)[form])
    click.echo(to_summary(counts), err=True)
    click.echo(DISCLAIMER, err=True)
    return 1 if counts[Status.ERROR] or not counts else 0


def _name_some(paths: Sequence[Path]) -> str:
    """The first three names, and how many there are beyond."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(path.name for path in paths[:3]) + more


def _expand(names: Iterable[str]) -> Iterator[str]:
    """Names as given, `-` replaced by the lines of standard input."""
    for name in names:
        if name == "-":
            # By bytes: file names need not be valid text.
            yield from (os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer if line.strip())
        else:
            yield name


def _print_all(results: Iterable[Result], form: Form) -> Counter[str]:
    header, to_line = form
    if header:
        click.echo(header)
    counts: Counter[str] = Counter()
    for result in results:
        click.echo(to_line(result))
        counts[result.decision or result.status] += 1
    return counts


def _forms(prevalence: float | None) -> dict[str, Form]:
    """Header and line of each format."""
    return {
        "table": (table_header(prevalence), lambda result: to_table_line(result, prevalence)),
        "csv": (csv_header(), to_csv_line),
        "jsonl": ("", to_json_line),
    }


def _with_progress(results: Iterator[Result], count: int) -> Iterator[Result]:
    """Results under a bar on standard error, where the work is long and the output goes elsewhere."""
    if count < LONG or sys.stdout.isatty() or not sys.stderr.isatty():
        yield from results
        return
    with click.progressbar(results, length=count, label="predicting", file=sys.stderr) as bar:
        yield from bar
