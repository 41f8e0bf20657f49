"""Which planted faults the audit finds, and what it says of clean sets: a table in Markdown.

    PYTHONPATH=.:studies python -m planted [--only WORD]

Each fault is planted into a copy of one set: 96 phantoms of 96 pixels, two sources, as many patients of
either class. It counts as found where the check meant for it, and no other, reaches its level and says so. A
false alarm is a check that fails or warns of a clean set; only that two dozen patients are few is none.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.audit.verdict import Check, Level
from planted.cohort import Cohort, draw_cohort
from planted.faults import CLEAN, FAULTS, Clean, Fault


def find(fault: Fault, clean: Cohort, folder: Path) -> tuple[bool, Check]:
    """Whether a fault is found in a copy of the clean set, and what its check says."""
    cohort = clean.copy(folder)
    fault.plant(cohort)
    check = cohort.check(fault.check)
    told = " ".join(one.text for one in check.findings if one.level.rank >= fault.level.rank)
    return bool(told) and fault.words in told, check


def list_alarms(clean: Clean, folder: Path) -> list[str]:
    """Checks that fail or warn of a clean set."""
    checks = clean.draw(folder).audit().checks
    return [one.title for one in checks if one.level is not Level.PASS and one.name != "sample-size"]


def to_lines(only: str, folder: Path) -> Iterator[str]:
    """The tables, line by line, and what they count."""
    faults = [one for one in FAULTS if only in one.name]
    sets = [one for one in CLEAN if only in one.name]
    (folder / "clean").mkdir()
    base = draw_cohort(folder / "clean")
    found = alarms = 0
    yield from ("| Fault | Check | Verdict | Found |", "|---|---|---|---|")
    for at, fault in enumerate(faults):
        is_found, check = find(fault, base, folder / f"{at}")
        found += is_found
        yield f"| {fault.name} | {check.title} | {check.level} | {'yes' if is_found else '**no**'} |"
    yield from ("", "| Clean set | False alarms |", "|---|---|")
    for clean in sets:
        place = folder / clean.name
        place.mkdir()
        named = list_alarms(clean, place)
        alarms += len(named)
        yield f"| {clean.name} | {', '.join(named) or 'none'} |"
    yield f"\n{found} of {len(faults)} faults found; {alarms} false alarms in {len(sets)} clean sets."


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only what has this word in its name")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        lines = to_lines(asked.only, Path(folder))
        while True:
            with contextlib.redirect_stderr(io.StringIO()):  # progress bars
                line = next(lines, None)
            if line is None:
                return
            print(line, flush=True)


if __name__ == "__main__":
    main()
