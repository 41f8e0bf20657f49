from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.data.patient_ids import tidy_ids, to_number


def tidy(*names: str) -> tuple[str, ...]:
    return tidy_ids(["here"] * len(names), names).names


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "NULL", "N/A", "#N/A", "<NA>", "unknown"])
def test_words_for_no_id_are_none(word: str) -> None:
    assert tidy(word, "p1") == ("", "p1")


def test_one_number_is_one_patient() -> None:
    assert tidy("007", "7", "7.0", "7.00", "8") == ("7", "7", "7", "7", "8")


def test_numbers_count_within_their_source() -> None:
    ids = tidy_ids(["north", "south"], ["007", "7"])
    assert ids.names == ("007", "7")
    assert not ids.told


def test_what_is_written_one_way_stays_as_it_is() -> None:
    names = ("007", "008.0", "p7", "7a", "7.5", "-7", "")
    ids = tidy_ids(["here"] * len(names), names)
    assert ids.names == names
    assert not ids.told


def test_what_was_changed_is_told() -> None:
    ids = tidy_ids(["here"] * 4, ["3", "3.0", "nan", "None"])
    assert len(ids.told) == 2
    assert "(None, nan)" in ids.told[0]
    assert "3 and 3.0 of source here" in ids.told[1]


@given(number=st.integers(0, 10**9), noughts=st.integers(0, 5), decimals=st.integers(0, 3))
def test_however_a_number_is_written_it_is_that_number(number: int, noughts: int, decimals: int) -> None:
    written = "0" * noughts + str(number) + ("." + "0" * decimals if decimals else "")
    assert to_number(written) == str(number)
