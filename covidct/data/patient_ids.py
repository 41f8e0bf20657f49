"""Patient ids as written -> ids that can be compared: `nan` is missing; `007`, `7` and `7.0` are the same.

Spreadsheets turn ids into numbers, and scripts write what is missing as a word. Knows text; nothing of files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

# In small letters: what pandas, Excel, R and people write where there is no id.
MISSING = frozenset(("nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nil", "unknown"))
_WHOLE = re.compile(r"0*([0-9]+)(?:\.0*)?")


@dataclass(frozen=True)
class Ids:
    """Ids (n,) that can be compared, "" if missing; and the changes made, a sentence each."""

    names: tuple[str, ...]
    told: tuple[str, ...]


def tidy_ids(sources: Sequence[str], names: Sequence[str]) -> Ids:
    """Treat words such as `nan` as missing, and equal numbers of one source as one patient."""
    empty = {name for name in names if name.casefold() in MISSING}
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source, name in zip(sources, names, strict=True):
        if number := to_number(name):
            spellings[source, number].add(name)
    several = {key: found for key, found in spellings.items() if len(found) > 1}
    return Ids(
        tuple(
            "" if name in empty else number if (source, number := to_number(name)) in several else name
            for source, name in zip(sources, names, strict=True)
        ),
        (*_tell_empty(empty, names), *_tell_several(several)),
    )


def to_number(name: str) -> str:
    """An id that is a whole number, without leading zeros and decimals; "" for any other id."""
    found = _WHOLE.fullmatch(name)
    return found[1] if found else ""


def _tell_empty(empty: set[str], names: Sequence[str]) -> list[str]:
    count = sum(name in empty for name in names)
    words = ", ".join(sorted(empty))
    return [f"patient ids that say nothing ({words}) count as missing, in {count} rows"] if empty else []


def _tell_several(several: dict[tuple[str, str], set[str]]) -> list[str]:
    if not several:
        return []
    (source, _), names = min(several.items())
    return [
        f"patient ids that are the same number count as one patient, as {' and '.join(sorted(names))} of "
        f"source {source}"
    ]
