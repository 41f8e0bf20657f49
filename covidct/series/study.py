"""Folders, archives, files, bytes ... -> the series to answer for, and everything else in them.

Groups instances by series, whatever folder they are in. Reads headers only; pixels are read when a slice is
asked for. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from covidct.errors import ReadError, log_traceback
from covidct.images.library_errors import damage_as
from covidct.series.grouping import Group, group
from covidct.series.instances import look_into
from covidct.series.selection import choose
from covidct.series.sources import StudyInput, find_blobs
from covidct.series.types import Acquisition, Instance, RefusedSeries, Series, Study
from covidct.types import Reason

if TYPE_CHECKING:
    from covidct.series.assembly import Assembled


def read_study(given: Iterable[StudyInput], *, all_series: bool = False) -> Study:
    """Find series and slices in folders, ZIP archives, DICOMDIRs and files, or in (name, bytes).

    Of each study one series is read, the fittest (`selection`); with `all_series` every one that can be. What
    cannot be read does not raise: it is loose, and reading it says why.
    """
    skipped: list[str] = []
    found = [item for source in find_blobs(given, skipped=skipped) for item in look_into(source)]
    groups = group(found)
    fit, refused, loose = _assemble(groups)
    grouped = {_place(item.instance) for one in groups for item in one.members}
    loose |= {_place(item.instance) for item in found} - grouped
    chosen, others = (fit, []) if all_series else choose(fit)
    return Study(
        series=tuple(chosen),
        refused=(*refused, *others),
        loose=tuple(item.instance for item in found if _place(item.instance) in loose),
        skipped=tuple(skipped),
    )


def _place(instance: Instance) -> tuple[str, int | None, int]:
    # (One path may be given twice; its blobs are then two.)
    return instance.path, instance.frame, id(instance.blob)


def _assemble(
    groups: Iterable[Group],
) -> tuple[list[Series], list[RefusedSeries], set[tuple[str, int | None, int]]]:
    fit: list[Series] = []
    refused: list[RefusedSeries] = []
    loose: set[tuple[str, int | None, int]] = set()
    for one in groups:
        assembled = _assemble_one(one)
        loose |= {_place(instance) for instance in assembled.loose}
        match assembled.series:
            case Series() as series:
                fit.append(series)
            case RefusedSeries() as series:
                refused.append(series)
    return fit, refused, loose


def _assemble_one(one: Group) -> Assembled:
    """Assemble a group; where that fails unforeseen, its instances stand for themselves, and it says so."""
    from covidct.series.assembly import Assembled, assemble

    try:
        with damage_as(ReadError):
            return assemble(one.uid, one.members, notes=one.notes)
    except ReadError as error:
        log_traceback(error)
        first, instances = one.members[0], tuple(item.instance for item in one.members)
        series = Series(one.uid, first.given, Acquisition(series_uid=first.acquisition.series_uid), instances)
        message = (
            f"{first.given}: series {one.uid}: cannot be put in order ({error}); its slices are answered one "
            "by one. Export it again, or report it with what --debug logs"
        )
        return Assembled(RefusedSeries(series, Reason.UNREADABLE, message), instances)
