"""What was given (folders, archives, files, bytes ...) -> the series to answer for, and all else in it.

Groups instances by SeriesInstanceUID wherever they lie. Reads headers only; pixels are read when a slice is
asked for. Knows nothing of models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from covidct.series.instances import look_into
from covidct.series.selection import choose
from covidct.series.sources import StudyInput, find_blobs
from covidct.series.values import Described, Instance, RefusedSeries, Series, Study


def read_study(given: Iterable[StudyInput], *, all_series: bool = False) -> Study:
    """Find series and slices in folders, ZIP archives, DICOMDIRs and files, or in (name, bytes).

    Of each study one series is read, the fittest (`selection`); with `all_series` every one that can be. What
    cannot be read does not raise: it is loose, and reading it says why.
    """
    skipped: list[str] = []
    found = [item for source in find_blobs(given, skipped=skipped) for item in look_into(source)]
    groups: dict[str, list[Described]] = defaultdict(list)
    for item in found:
        if uid := _series_of(item):
            groups[uid].append(item)
    whole = {uid: members for uid, members in groups.items() if not _is_alone(members)}
    fit, refused, loose = _assemble(whole)
    loose |= {_place(item.instance) for item in found if _series_of(item) not in whole}
    chosen, others = (fit, []) if all_series else choose(fit)
    return Study(
        series=tuple(chosen),
        refused=(*refused, *others),
        loose=tuple(item.instance for item in found if _place(item.instance) in loose),
        skipped=tuple(skipped),
    )


def _series_of(item: Described) -> str | None:
    """What tells series apart; volumes and frames without a UID are series of their own."""
    if uid := item.acquisition.series_uid:
        return uid
    return item.instance.path if item.instance.frame is not None else None


def _is_alone(members: list[Described]) -> bool:
    """Whether this is one instance, if it is in several files, too."""
    instances = [item.instance for item in members]
    one = len({item.sop_instance_uid for item in instances}) == 1
    return (
        one
        and (len(instances) == 1 or instances[0].sop_instance_uid is not None)
        and not any(item.frame for item in instances)
    )


def _place(instance: Instance) -> tuple[str, int | None, int]:
    # (One path may be given twice; its blobs are then two.)
    return instance.path, instance.frame, id(instance.blob)


def _assemble(
    groups: dict[str, list[Described]],
) -> tuple[list[Series], list[RefusedSeries], set[tuple[str, int | None, int]]]:
    from covidct.series.assembly import assemble

    fit: list[Series] = []
    refused: list[RefusedSeries] = []
    loose: set[tuple[str, int | None, int]] = set()
    for uid, members in groups.items():
        assembled = assemble(uid, members)
        loose |= {_place(instance) for instance in assembled.loose}
        match assembled.series:
            case Series() as series:
                fit.append(series)
            case RefusedSeries() as series:
                refused.append(series)
    return fit, refused, loose
