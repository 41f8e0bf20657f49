"""What was given (folders, archives, files, bytes ...) -> the series to answer for, and all else in it.

Groups instances by series wherever they lie. Reads headers only; pixels are read when a slice is
asked for. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterable

from covidct.series.grouping import Group, group
from covidct.series.instances import look_into
from covidct.series.selection import choose
from covidct.series.sources import StudyInput, find_blobs
from covidct.series.types import Instance, RefusedSeries, Series, Study


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
    from covidct.series.assembly import assemble

    fit: list[Series] = []
    refused: list[RefusedSeries] = []
    loose: set[tuple[str, int | None, int]] = set()
    for one in groups:
        assembled = assemble(one.uid, one.members, notes=one.notes)
        loose |= {_place(instance) for instance in assembled.loose}
        match assembled.series:
            case Series() as series:
                fit.append(series)
            case RefusedSeries() as series:
                refused.append(series)
    return fit, refused, loose
