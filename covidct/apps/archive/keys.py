"""Names, versions and UIDs -> numbers of 64 bits, which 10^8 rows can be compared by in memory.

Among 10^8 names two have one number with a chance of 1 in 4000; one of the two files is then skipped until it
changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def to_key(*parts: str | bytes | int) -> int:
    """The number of some words, in [0, 2^64); 0 never stands for any, as it means none."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little") or 1


def to_word(key: int) -> str:
    """A number as it stands in names of files."""
    return f"{key:016x}"


def to_common_key(keys: Iterable[int]) -> int:
    """The number of a set of numbers, whatever their order."""
    return to_key(*sorted(keys))
