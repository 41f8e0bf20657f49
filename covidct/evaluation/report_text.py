"""A report as text: for the terminal, and as Markdown for the model card.

Knows columns and widths. Knows nothing of how things were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from covidct.evaluation.markdown import to_markdown_table
from covidct.evaluation.operating_points import AtPoint, Worth
from covidct.evaluation.report import Report
from covidct.evaluation.sections import Decisions, Section
from covidct.stats.metrics import Evaluation

WIDTH = 100
NAME = 20
CELL = 16
# Column titles of the model card's table, and the metrics below them.
COLUMNS = {
    "AUC": "auc",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "PPV": "ppv",
    "NPV": "npv",
    "F1, COVID-19": "f1_positive",
    "F1, other": "f1_negative",
    "Brier": "brier",
    "ECE": "ece",
}
# The same for an operating point.
SETS = {
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Covered, COVID-19": "coverage_positive",
    "Covered, other": "coverage_negative",
    "Set size, COVID-19": "set_size_positive",
    "Set size, other": "set_size_negative",
    "Indeterminate": "indeterminate",
}
CALLS = ("Sensitivity", "Specificity", "PPV", "NPV")


def to_table(report: Report) -> str:
    """The report for a terminal, at most 100 columns wide: overall, then each source."""
    sections = (report.overall, *report.sources)
    head = ("AUC", "sensitivity", "specificity")
    lines = [_line("", ("n", "covid"), head, ("F1+", "F1−"))]
    lines += [_measured_line(section) for section in sections]
    if any(section.decisions for section in sections):
        lines += ["", _line("decided only", ("n", "covid"), ("indeterminate", *head[1:]), ("F1+", "F1−"))]
        lines += [_decided_line(s.name, s.decisions) for s in sections if s.decisions]
    lines += ["", _line("", (), ("ECE", "by chance", "Brier"), ())]
    lines += [_calibrated_line(section) for section in sections]
    for place, point in enumerate(report.protocol.points):
        lines += ["", *_point_lines(point.name, [(s.name, s.points[place]) for s in sections])]
    return "\n".join([*lines, "", *_legend(report)])


def to_markdown_points(report: Report) -> str:
    """A table for each operating point: its calls, its prediction sets, and PPV and NPV by prevalence."""
    sections = (report.overall, *report.sources)
    tables = []
    for place, point in enumerate(report.protocol.points):
        rows = [[section.name, *_point_cells(section.points[place])] for section in sections]
        worths = [f"{word} at {p:g}" for p in report.protocol.prevalences for word in ("PPV", "NPV")]
        head = ("Source", *SETS, *worths)
        tables.append(f"Operating point *{point.name}*:\n\n{to_markdown_table(head, rows)}\n")
    return "\n".join(tables)


def to_markdown(report: Report) -> str:
    """The report as Markdown tables and notes, for the model card."""
    sections = (report.overall, *report.sources)
    rows = [_measured_row(section) for section in sections]
    parts = [to_markdown_table(("Source", "Slices", "COVID-19", "Patients or blocks", *COLUMNS), rows)]
    decided = [(section.name, section.decisions) for section in sections if section.decisions]
    if decided:
        head = ("Source", "Decided", "Positive", "Negative", "Indeterminate", *CALLS)
        parts.append(to_markdown_table(head, [_decided_row(name, decisions) for name, decisions in decided]))
    notes = [f"- {section.name}: {note}" for section in sections for note in section.notes]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts) + "\n"


def _line(name: str, counts: Sequence[object], cells: Sequence[str], ends: Sequence[str]) -> str:
    name = name if len(name) <= NAME else name[: NAME - 1] + "…"
    parts = [f"{name:{NAME}}", *(f"{count:>5}" for count in counts)]
    parts += [f"{cell:{CELL}}" for cell in cells] + [f"{end:>4}" for end in ends]
    return "  ".join(parts).rstrip()


def _texts(evaluation: Evaluation, *names: str) -> list[str]:
    return [evaluation.metrics[name].to_text() for name in names]


def _f1s(evaluation: Evaluation) -> list[str]:
    """Both without their intervals, for which there is no room."""
    return [text.split(" ")[0] for text in _texts(evaluation, "f1_positive", "f1_negative")]


def _measured_line(section: Section) -> str:
    found = section.evaluation
    cells = _texts(found, "auc", "sensitivity", "specificity")
    return _line(section.name, (found.n, found.positives), cells, _f1s(found))


def _decided_line(name: str, decisions: Decisions) -> str:
    left_out = f"{decisions.indeterminate.n} ({_percent(decisions)})"
    found = decisions.decided
    cells = [left_out, *_texts(found, "sensitivity", "specificity")]
    return _line(name, (found.n, found.positives), cells, _f1s(found))


def _calibrated_line(section: Section) -> str:
    found, chance = section.evaluation.metrics, section.chance_ece
    by_chance = "–" if chance is None or found["ece"].value is None else f"{chance:.2f}"
    return _line(section.name, (), (found["ece"].to_text(), by_chance, found["brier"].to_text()), ())


def _point_lines(name: str, found: Sequence[tuple[str, AtPoint]]) -> list[str]:
    """Calls and sets of a point for each section, then PPV and NPV, two prevalences a block."""
    head = ("sensitivity", "specificity", "covered covid", "covered other")
    keys = ("sensitivity", "specificity", "coverage_positive", "coverage_negative")
    lines = [_line(name, (), head, ())]
    lines += [_line(own, (), [point.figures[key].to_text() for key in keys], ()) for own, point in found]
    heads = ("set size covid", "set size other", "indeterminate")
    sets = ("set_size_positive", "set_size_negative", "indeterminate")
    lines += ["", _line(name, (), heads, ())]
    lines += [_line(own, (), [point.figures[key].to_text() for key in sets], ()) for own, point in found]
    for start in range(0, len(found[0][1].worths), 2):
        shown = [(own, point.worths[start : start + 2]) for own, point in found]
        titles = [f"{word} at {worth.prevalence:g}" for worth in shown[0][1] for word in ("PPV", "NPV")]
        lines += ["", _line(name, (), titles, ())]
        lines += [_line(own, (), _worth_cells(worths), ()) for own, worths in shown]
    return lines


def _point_cells(point: AtPoint) -> list[str]:
    return [point.figures[key].to_text() for key in SETS.values()] + _worth_cells(point.worths)


def _worth_cells(worths: Sequence[Worth]) -> list[str]:
    return [one.to_text() for worth in worths for one in (worth.ppv, worth.npv)]


def _legend(report: Report) -> list[str]:
    point = report.protocol
    band = f", indeterminate from {point.band[0]:.3f} to {point.band[1]:.3f}" if point.band else ""
    text = (
        f"Threshold {point.threshold:.3f}{band}. 95 % intervals over patients in brackets; –: undefined; "
        "F1+ counts COVID-19 as positive, F1− everything else. By chance: the ECE that perfect probabilities "
        "would show on as many independent slices. Covered: slices whose prediction set holds the truth."
    )
    notes = [
        f"{section.name}: {note}." for section in (report.overall, *report.sources) for note in section.notes
    ]
    return [line for sentence in (text, *notes) for line in wrap(sentence, WIDTH, subsequent_indent="  ")]


def _measured_row(section: Section) -> list[str]:
    found = section.evaluation
    patients = f"{section.patients}" if section.patients else "–"
    counts = [f"{found.n}", f"{found.positives}", patients]
    return [section.name, *counts, *_texts(found, *COLUMNS.values())]


def _decided_row(name: str, decisions: Decisions) -> list[str]:
    counts = [f"{tally.n}" for tally in (decisions.positive, decisions.negative)]
    indeterminate = f"{decisions.indeterminate.n} ({_percent(decisions)})"
    cells = _texts(decisions.decided, *(COLUMNS[title] for title in CALLS))
    return [name, f"{decisions.decided.n}", *counts, indeterminate, *cells]


def _percent(decisions: Decisions) -> str:
    return f"{100 * decisions.indeterminate_share:.0f} %"
