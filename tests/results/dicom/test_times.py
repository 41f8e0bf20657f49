from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset

from covidct.results.dicom.times import put_times

NOON = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


def made() -> Dataset:
    target = Dataset()
    target.ContentDate, target.ContentTime = "20200101", "000000"
    return target


def test_times_are_in_the_zone_of_the_images() -> None:
    target = made()
    put_times(target, "+1330", now=NOON)
    assert target.TimezoneOffsetFromUTC == "+1330"
    assert (target.SeriesDate, target.SeriesTime) == ("20260401", "013000.000000")
    assert (target.ContentDate, target.ContentTime) == (target.SeriesDate, target.SeriesTime)
    assert "InstanceCreationDate" not in target


@pytest.mark.parametrize("offset", ["", "CET", "+2500", "+01", "-1300"])
def test_without_a_zone_that_can_be_they_are_in_this_machines(offset: str) -> None:
    target = made()
    put_times(target, offset, now=NOON)
    here = NOON.astimezone()
    assert target.TimezoneOffsetFromUTC == here.strftime("%z")[:5]
    assert target.SeriesDate + target.SeriesTime[:4] == here.strftime("%Y%m%d%H%M")
