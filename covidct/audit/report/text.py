"""An audit for the terminal: a line a check, and below it what was found and what to do.

Knows words, columns and terminals. Knows nothing of colours, and nothing of how things were measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import category, combining, east_asian_width

from covidct.audit.verdict import Audit, Check, Finding, Level, count

WIDTH = 100
FILES = 3
INDENT = 6
VERDICTS = {
    Level.PASS: "no reason was found not to train on it",
    Level.WARN: "fit to train on with care: mind the warnings",
    Level.FAIL: "not fit to train on as it is",
}


def to_text(audit: Audit) -> str:
    """The audit for a terminal, at most 100 columns wide, without the last line's end."""
    subject = f"Audit of {audit.subject}: {audit.slices:,} slices, {audit.positives:,} with COVID-19"
    lines = [*_wrap(subject, "", indent=INDENT), ""]
    for check in audit.checks:
        lines += _to_lines(check)
    if lines[-1]:
        lines.append("")
    return "\n".join(
        [*lines, *_wrap(f"Verdict: {audit.level.upper()}. {to_verdict(audit)}", "", indent=INDENT)]
    )


def to_verdict(audit: Audit) -> str:
    """The verdict in a sentence, and how many checks it rests on."""
    if not audit.checks:
        return "Nothing was checked."
    found = [check.level for check in audit.checks]
    words = {Level.FAIL: "failed", Level.WARN: "warned", Level.PASS: "passed"}
    counts = [f"{found.count(level)} {word}" for level, word in words.items() if level in found]
    return f"{VERDICTS[audit.level].capitalize()}. Of {count(len(found), 'check')} {', '.join(counts)}."


def to_printable(text: str) -> str:
    """The text without what could move a cursor, turn the line around or not be encoded."""
    return "".join(
        char if char.isprintable() or category(char) == "Zs" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def elide(text: str, columns: int) -> str:
    """The text in at most so many columns, one or more; where it is longer with an ellipsis in its middle."""
    if _columns(text) <= columns:
        return text
    half = columns // 2
    tail = _fit(text[::-1], half)[::-1]
    return f"{_fit(text, columns - 1 - half)}…{tail}"


def _to_lines(check: Check) -> list[str]:
    lines = list(_wrap(f"{check.title}: {check.headline}", check.level.upper().ljust(INDENT), indent=INDENT))
    if check.level is Level.PASS:
        return lines
    for finding in check.findings:
        lines += _to_finding(finding, check.headline)
    if check.advice:
        lines += _wrap(f"What to do: {check.advice}", " " * INDENT, indent=INDENT)
    return [*lines, ""]


def _to_finding(finding: Finding, headline: str) -> Iterator[str]:
    """A sentence, unless it is the headline, and its first files; nothing for what has passed."""
    if finding.level is Level.PASS:
        return
    if finding.text != headline:
        yield from _wrap(finding.text, " " * INDENT + "- ", indent=INDENT + 2)
    place = " " * (INDENT + 4)
    for name in finding.files[:FILES]:
        yield place + elide(to_printable(name), WIDTH - len(place))
    if more := len(finding.files) - FILES:
        yield from [f"{place}and {more:,} more"] * (more > 0)


def _wrap(text: str, head: str, *, indent: int) -> Iterator[str]:
    """Lines that fit: the first after `head`, the others after `indent` spaces; long words are broken."""
    line, empty = head, True
    for piece in _pieces(to_printable(" ".join(text.split())).split(" "), WIDTH - max(indent, len(head))):
        if not empty and _columns(line) + 1 + _columns(piece) > WIDTH:
            yield line
            line, empty = " " * indent, True
        line, empty = line + ("" if empty else " ") + piece, False
    yield line


def _pieces(words: Iterable[str], columns: int) -> Iterator[str]:
    for word in words:
        rest = word
        while piece := _fit(rest, columns):
            yield piece
            rest = rest[len(piece) :]


def _fit(text: str, columns: int) -> str:
    """As much of the text as fits."""
    used = 0
    for i, char in enumerate(text):
        used += _columns(char)
        if used > columns:
            return text[:i]
    return text


def _columns(text: str) -> int:
    """How wide a terminal draws it: ideographs take two columns, marks above a letter none (UAX #11)."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)
