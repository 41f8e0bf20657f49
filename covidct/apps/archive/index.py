"""Files -> rows of the index: the place of each, its version, what it belongs to.

One pass over headers. The rows stay beside the table, so that a file is looked into once as long as it does
not change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from covidct.apps.archive.binding import Bonds, find_bonds
from covidct.apps.archive.fetching import NO_MEMBER, Fetcher
from covidct.apps.archive.keys import to_common_key, to_key, to_word
from covidct.apps.archive.listing import Listed
from covidct.apps.archive.places import is_web
from covidct.apps.archive.table import Table
from covidct.apps.archive.trials import DEATHS, Trials
from covidct.errors import SourceDropped
from covidct.images.blob import Blob
from covidct.images.file_type import ARCHIVES, Head
from covidct.images.files import is_wanted
from covidct.series.sources import Candidate, peek

FILES = 500  # that one job looks into
SKIPPED, DEADLY = -2, -3  # in place of a member: passed over; looking into it ends the worker
_KEY = pa.uint64()
SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # names of files need not be text
        ("given", pa.binary()),
        ("member", pa.int32()),
        ("instances", pa.int32()),
        *((name, _KEY) for name in ("file", "version", "series", "study", "frame", "scan", "instance")),
    ]
)


@dataclass(frozen=True)
class IndexJob:
    """How a worker looks into files: each job is a list of them, as `to_job` writes it."""

    out: str
    generation: int

    def start(self) -> Indexer:
        """A worker."""
        return Indexer(Table(self.out), self.generation)


class Indexer:
    """Looks into files, and writes what it found as a part of the index."""

    def __init__(self, table: Table, generation: int):
        self._table = table
        self._generation = generation
        self._trials = Trials(table.place)

    def __call__(self, job: str) -> str:
        """Look into the files of a job; what was done, as JSON. Raises OSError for a table that is full."""
        files = [Listed(**one) for one in json.loads(job)]
        work = to_word(to_common_key(one.version for one in files))
        one_by_one = self._trials.begin(work) > 0
        rows, dropped, aside = [], [], []
        for one in files:
            try:
                found = self._try(work, one) if one_by_one else look_into_file(one)
            except SourceDropped as error:
                dropped.append(str(error))
                continue
            rows += found
            aside += [one.path for row in found if row["member"] == DEADLY]
        self._table.write_index(f"{self._generation:06d}-{work}", pa.Table.from_pylist(rows, SCHEMA))
        self._trials.end(work)
        skipped = sum(row["member"] == SKIPPED for row in rows)
        done = {"files": len(files), "rows": len(rows) - skipped, "skipped": skipped}
        return json.dumps(done | {"dropped": dropped, "aside": aside})

    def _try(self, work: str, one: Listed) -> list[dict[str, object]]:
        """The rows of a file, looked into under a mark; one that ended its workers twice is set aside."""
        what = to_word(to_key(one.path))
        if self._trials.count(work, what) >= DEATHS:
            return [_to_row(one, DEADLY, Bonds(to_key("file", one.path)))]
        self._trials.begin(work, what)
        found = look_into_file(one)
        self._trials.end(work, what)
        return found


def to_job(files: Sequence[Listed]) -> str:
    """Files as a job."""
    return json.dumps([asdict(one) for one in files])


def look_into_file(one: Listed) -> list[dict[str, object]]:
    """The rows of a file: one, one for each file in an archive, or one that says it is skipped.

    Raises SourceDropped.
    """
    if is_web(one.path):
        study = one.path.rpartition("/studies/")[2]
        return [_to_row(one, NO_MEMBER, Bonds(to_key("file", one.path), study=to_key("study", study)))]
    with Fetcher() as fetcher:
        blob = fetcher.read_start(one.path)
        head = peek(blob)
        if not one.is_named and not is_wanted(one.path, head):
            return [_to_row(one, SKIPPED, Bonds(to_key("file", one.path)))]
        if head.type in ARCHIVES:
            entries = fetcher.unpack(fetcher.fetch(one.path)).entries
            return [_to_row(one, at, _bind(fetcher, *entry)) for at, entry in enumerate(entries)]
        return [_to_row(one, NO_MEMBER, _bind(fetcher, blob, head))]


def _bind(fetcher: Fetcher, blob: Blob, head: Head) -> Bonds:
    bonds = find_bonds(Candidate(blob, blob.name, head), head)
    if bonds is not None:
        return bonds
    whole = fetcher.fetch(blob.name)
    return find_bonds(Candidate(whole, whole.name, head), head) or Bonds(to_key("file", blob.name))


def _to_row(one: Listed, member: int, bonds: Bonds) -> dict[str, object]:
    where = {"path": os.fsencode(one.path), "given": os.fsencode(one.given), "member": member}
    keys = {"file": to_key(one.path), "version": one.version}
    return where | {"instances": one.instances} | keys | asdict(bonds)
