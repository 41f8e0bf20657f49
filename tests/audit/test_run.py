"""Faults planted one by one into a clean set of phantoms: each must be found, and nothing in the clean set.

`python -m planted` tells of more of them, and of more clean sets.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from covidct.audit.run import CHECKS, audit
from covidct.audit.verdict import Level
from covidct.data.lock import make_lock, write_lock
from covidct.data.manifest import DataPlan, read_manifest
from planted.__main__ import find, to_lines
from planted.cohort import Cohort, draw_cohort
from planted.faults import FAULTS, Fault

# Found by luck or not at all in so few slices, or much like another: the study alone plants them.
STUDIED = (
    "5 % of labels swapped",
    "... in another window",
    "... as 007 and as 7",
    "one id in two sources and splits",
    "one class of lower JPEG quality",
    "one class stored as RGB",
    "R on 40 % of the other",
    "scale at the edge of one class",
    "red arrow on 40 % of one class",
    "half of one class mirrored",
    "one class cropped tighter",
    "one class in another window",
    "one class noisier",
    "men and women",
)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return draw_cohort(tmp_path_factory.mktemp("clean"))


def test_a_clean_set_has_no_failure_and_at_most_one_warning(clean: Cohort) -> None:
    found = clean.audit()
    assert tuple(check.name for check in found.checks) == CHECKS
    levels = {check.name: check.level for check in found.checks}
    bad = {name: level for name, level in levels.items() if level is not Level.PASS}
    assert set(bad.values()) <= {Level.WARN}, bad
    assert set(bad) <= {"sample-size"}, bad  # two dozen patients are few, however clean
    assert (found.slices, found.positives) == (len(clean.lines), len(clean.covid))


def test_the_same_set_gives_the_same_verdict(clean: Cohort) -> None:
    manifest = read_manifest(clean.write())
    assert audit(manifest, DataPlan()) == audit(manifest, DataPlan())


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.name not in STUDIED], ids=lambda fault: fault.name
)
def test_a_planted_fault_is_found(clean: Cohort, tmp_path: Path, fault: Fault) -> None:
    is_found, check = find(fault, clean, tmp_path / "set")
    assert is_found, check
    assert check.level.rank >= fault.level.rank
    assert check.advice


def test_the_study_counts_what_is_found(tmp_path: Path) -> None:
    lines = list(to_lines("one class only", tmp_path))
    assert "| one class only | Labels and files | fail | yes |" in lines
    assert lines[-1].strip() == "1 of 1 faults found; 0 false alarms in 0 clean sets."


def test_the_lock_is_no_fault_of_its_own(clean: Cohort, tmp_path: Path) -> None:
    locked = clean.copy(tmp_path / "set")
    write_lock(make_lock(read_manifest(locked.write())))
    assert locked.check("splits").level is Level.PASS
