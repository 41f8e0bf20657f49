from __future__ import annotations

from unicodedata import combining, east_asian_width

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.audit.report.text import WIDTH, elide, to_printable, to_text, to_verdict
from covidct.audit.verdict import Audit, Check, Finding, Level
from exhibits import make_audit

TEXT = st.text(st.characters(), max_size=300)


def columns(text: str) -> int:
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def audit_of(*checks: Check, subject: str = "m.csv") -> Audit:
    return Audit(subject, "0" * 64, 10, 5, checks)


def check_of(*findings: Finding, advice: str = "", headline: str = "It is so.") -> Check:
    return Check("one", "One", headline, advice, findings)


def test_a_line_a_check_and_the_verdict_last() -> None:
    lines = to_text(make_audit()).splitlines()
    words = [line[:4] for line in lines if line[:4] in ("PASS", "WARN", "FAIL")]
    assert words == ["PASS", "WARN", "FAIL", "FAIL", "WARN"]
    assert lines[0] == "Audit of data/manifest.csv: 2,305 slices, 1,109 with COVID-19"
    assert lines[-1] == (
        "Verdict: FAIL. Not fit to train on as it is. Of 5 checks 2 failed, 2 warned, 1 passed."
    )


def test_findings_show_three_files_and_how_many_more() -> None:
    finding = Finding(
        Level.FAIL, "34 pictures are in several splits.", tuple(f"{i:02}.png" for i in range(34))
    )
    assert to_text(audit_of(check_of(finding, advice="Remove them."))).splitlines()[2:-1] == [
        "FAIL  One: It is so.",
        "      - 34 pictures are in several splits.",
        "          00.png",
        "          01.png",
        "          02.png",
        "          and 31 more",
        "      What to do: Remove them.",
        "",
    ]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_files_are_all_shown(n: int) -> None:
    text = to_text(audit_of(check_of(Finding(Level.WARN, "So.", tuple(f"{i}.png" for i in range(n))))))
    assert text.count(".png") == n
    assert "more" not in text


def test_what_has_passed_takes_one_line() -> None:
    passed = Finding(Level.PASS, "All is well.", ("a.png",))
    assert to_text(audit_of(check_of(passed))).splitlines() == [
        "Audit of m.csv: 10 slices, 5 with COVID-19",
        "",
        "PASS  One: It is so.",
        "",
        "Verdict: PASS. No reason was found not to train on it. Of 1 check 1 passed.",
    ]


def test_beside_a_warning_what_has_passed_is_not_told() -> None:
    text = to_text(audit_of(check_of(Finding(Level.PASS, "All is well."), Finding(Level.WARN, "Not quite."))))
    assert "Not quite." in text
    assert "All is well." not in text


def test_without_checks_nothing_is_praised() -> None:
    assert to_verdict(audit_of()) == "Nothing was checked."
    assert to_text(audit_of()).endswith("Nothing was checked.")


def test_nothing_is_lost_in_wrapping() -> None:
    words = " ".join(f"word{i}" for i in range(60)) + " " + "x" * 250
    told = to_text(audit_of(check_of(headline=words)))
    assert words.replace(" ", "") in "".join(told.split())


@given(TEXT, TEXT, TEXT, TEXT)
def test_every_line_fits_and_moves_no_cursor(subject: str, headline: str, sentence: str, file: str) -> None:
    check = check_of(Finding(Level.FAIL, sentence, (file,)), advice=sentence, headline=headline)
    text = to_text(audit_of(check, subject=subject))
    lines = text.split("\n")
    assert all(columns(line) <= WIDTH for line in lines)
    assert all(to_printable(line) == line for line in lines)
    text.encode()


@given(st.text(st.characters(exclude_characters="…"), max_size=200), st.integers(1, 120))
def test_elided_text_fits_and_keeps_its_ends(text: str, width: int) -> None:
    short = elide(text, width)
    assert columns(short) <= width
    if short != text:
        head, tail = short.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abcdefgh", 8, "abcdefgh"),
        ("abcdefgh", 7, "abc…fgh"),
        ("武汉武汉武汉", 7, "武…汉"),
        ("abc", 1, "…"),
        ("", 3, ""),
    ],
)
def test_elide(text: str, width: int, short: str) -> None:
    assert elide(text, width) == short


def test_printable() -> None:
    assert to_printable("a\x1b\n\u202e\udcff\x00b") == "a" + "\N{REPLACEMENT CHARACTER}" * 5 + "b"
    assert to_printable("90\N{NO-BREAK SPACE}% é 武") == "90\N{NO-BREAK SPACE}% é 武"
