"""What was given (folders, archives, files, bytes ...) -> the series to answer for, and all else in it.

Groups instances by SeriesInstanceUID wherever they lie. Reads headers only; pixels are read when a slice is
asked for. Knows nothing of models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from covidct.blob import Blob, FailedBlob
from covidct.choosing import choose
from covidct.described import Described
from covidct.errors import ReadError
from covidct.finding import Given, Source, find_blobs, peek
from covidct.series import Instance, RefusedSeries, Series, Study
from covidct.types import UPRIGHT

# The first element of a DICOM object without preamble: group 0008, or 0002 for file meta; both byte orders.
_BARE_DICOM = (b"\x08\x00", b"\x02\x00", b"\x00\x08")
_GZIP = b"\x1f\x8b"
_NIFTI = (b"n+1\0", b"n+2\0", b"ni1\0")


def read_study(given: Iterable[Given], *, all_series: bool = False) -> Study:
    """Find series and slices in folders, ZIP archives, DICOMDIRs and files, or in (name, bytes).

    Of each study one series is read, the fittest (`choosing`); with `all_series` every one that can be. What
    cannot be read does not raise: it is loose, and reading it says why.
    """
    skipped: list[str] = []
    found = [item for source in find_blobs(given, skipped=skipped) for item in _look_into(source)]
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
        # Shown as they are stored, like any single slice.
        loose=tuple(replace(item.instance, turn=UPRIGHT) for item in found if _place(item.instance) in loose),
        skipped=tuple(skipped),
    )


def _look_into(source: Source) -> list[Described]:
    """The instances in a blob; one without any description for what is neither DICOM nor a volume."""
    blob = source.blob
    head = peek(blob)
    try:
        # Here, not above: who reads pictures shall not pay for importing pydicom or nibabel.
        if head[128:132] == b"DICM" or head.startswith(_BARE_DICOM):
            from covidct.describing import describe

            return describe(blob, given=source.given)
        if head[344:348] in _NIFTI or (head.startswith(_GZIP) and blob.name.lower().endswith(".gz")):
            from covidct.nifti import describe_volume

            return describe_volume(blob, given=source.given)
    except ReadError as error:
        return [_alone(FailedBlob(blob.name, str(error)), source)]
    except ModuleNotFoundError as error:
        message = (
            f"{blob.name}: a NIfTI volume ({error}); in the clone of covidct run: pip install '.[nifti]'"
        )
        return [_alone(FailedBlob(blob.name, message), source)]
    except Exception:  # broad: damage surfaces as nearly any exception; reading the slice says which
        return [_alone(blob, source)]
    return [_alone(blob, source)]


def _alone(blob: Blob, source: Source) -> Described:
    return Described(Instance(blob.name, None, None, None, blob=blob), given=source.given)


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
    from covidct.assembly import assemble

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
