"""When a new object was made: its dates, times and their zone.

An object has one zone for all of its times (PS3.3 C.12.1.1.8), those it takes from the images too, so the
zone is theirs where they name one, else this machine's.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset

_OFFSET = re.compile(r"([+-])(\d{2})([0-5]\d)")


def put_times(target: Dataset, offset: str, *, now: datetime | None = None) -> None:
    """Give a new object its time zone, the time of its series, and the time of its creation in that zone.

    `offset` is the images' TimezoneOffsetFromUTC, such as +0100; if empty or invalid, this machine's zone is
    used. `now` has a zone; by default it is the current time.
    """
    here = (now or datetime.now()).astimezone(_to_zone(offset))
    target.TimezoneOffsetFromUTC = here.strftime("%z")[:5]
    for what in ("Series", "Content", "InstanceCreation"):
        if what == "Series" or f"{what}Date" in target:
            setattr(target, f"{what}Date", here.strftime("%Y%m%d"))
            setattr(target, f"{what}Time", here.strftime("%H%M%S.%f"))


def _to_zone(offset: str) -> timezone | None:
    """None stands for this machine's (PS3.3 C.12.1.1.8: -1200 to +1400)."""
    match = _OFFSET.fullmatch(offset)
    if match is None:
        return None
    minutes = int(f"{match[1]}1") * (60 * int(match[2]) + int(match[3]))
    return timezone(timedelta(minutes=minutes)) if -720 <= minutes <= 840 else None
