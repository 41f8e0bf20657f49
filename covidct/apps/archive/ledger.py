"""Which groups are answered, which are left, and whose rows have been superseded.

A group changes its name when a file of it changes, or when one comes or goes; the rows of the old name are
then outdated. They stay until the new ones are in the table, so that no file is ever without an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covidct.apps.archive.answers import drop_rows
from covidct.apps.archive.grouping import Group
from covidct.apps.archive.table import Table


@dataclass(frozen=True)
class Ledger:
    """`parts` of the table with their groups, each with one of its files; `damaged` ones are made anew."""

    parts: Mapping[str, Mapping[str, int]]
    damaged: Sequence[str]

    @property
    def done(self) -> set[str]:
        """Names of the groups that have rows."""
        return {name for groups in self.parts.values() for name in groups}


def read_ledger(table: Table) -> Ledger:
    """The ledger, out of the parts themselves; damaged ones are deleted. Raises OSError."""
    parts, damaged = table.read_groups()
    for name in damaged:
        table.delete_results(name)
    return Ledger(parts, damaged)


def supersede(table: Table, groups: Sequence[Group]) -> int:
    """Drop the rows of groups that are no more and whose files are answered anew; how many groups that were.

    Also of groups that stand in two parts, which takes a run that was killed and a cluster that went on.
    Raises OSError.
    """
    ledger = read_ledger(table)
    now = {group.name for group in groups}
    done = ledger.done
    waiting = {group.file for group in groups if group.name not in done}
    seen: set[str] = set()
    dropped = 0
    for part, held in ledger.parts.items():
        old = {name for name, file in held.items() if name not in now and file not in waiting}
        gone = old | (seen & set(held))
        seen |= set(held)
        if gone:
            _rewrite(table, part, held, gone)
            dropped += len(gone)
    return dropped


def _rewrite(table: Table, part: str, held: Mapping[str, int], gone: set[str]) -> None:
    kept = {name: file for name, file in held.items() if name not in gone}
    if kept:
        table.write_results(part, drop_rows(table.read_results(part), gone), kept)
    else:
        table.delete_results(part)
