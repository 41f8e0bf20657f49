"""The folder that an archive's answers go to: parts of a Parquet table, and all it takes to go on.

    archive.json   what answers, and how: a run with another model is told so
    results/       the table: one row a slice, one a series
    index/         one row a file: where it lies and what it belongs to
    marks/         what workers began; empty once a run has ended

A part is written beside and renamed, and its footer lists the groups whose rows it holds: it is the ledger,
so that ledger and rows cannot disagree. A part that is damaged is told and made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from covidct.apps.archive.places import is_address, open_place
from covidct.errors import ArchiveError
from covidct.images.files import hold_lock

FORMAT = "covidct archive 1"
SETTINGS, RESULTS, INDEX = "archive.json", "results", "index"
_ENDING = ".parquet"
_GROUPS = b"covidct.groups"
_LOCK = ".lock"


class Table:
    """The folder at a path or an address."""

    def __init__(self, address: str):
        """Raises ArchiveError for an address that nobody knows."""
        self.address = address
        self.place = open_place(address)

    def prepare(self, settings: Mapping[str, Any]) -> None:
        """Make the folder, or check that it is one of ours with the same settings.

        Raises ArchiveError where it is not, and OSError where it may not be written.
        """
        wanted = {"format": FORMAT, **settings}
        if self.place.files.get_file_info(self.place.path).is_file:
            raise ArchiveError(f"{self.address}: a file, not a folder; give another --out")
        if SETTINGS not in self.place.list_files():
            if self._is_taken():
                raise ArchiveError(
                    f"{self.address}: not empty, and not a table of covidct archive; give another --out"
                )
            self.place.write(json.dumps(wanted, indent=2).encode(), SETTINGS)
            return
        found = self._read_settings()
        if other := next((name for name in wanted if found.get(name) != wanted[name]), None):
            raise ArchiveError(
                f"{self.address}: holds answers with {other} {found.get(other)!r}, not {wanted[other]!r}: "
                "run it as before, or give another --out"
            )
        # The rights to write may be gone since: told before any work.
        self.place.write(json.dumps(wanted, indent=2).encode(), SETTINGS)

    def _is_taken(self) -> bool:
        return bool(set(self._list_all()) - {_LOCK, f"{SETTINGS}.partial"})

    def _list_all(self) -> Iterator[str]:
        from pyarrow import fs

        selector = fs.FileSelector(self.place.path, allow_not_found=True)
        yield from (str(info.base_name) for info in self.place.files.get_file_info(selector))

    def _read_settings(self) -> dict[str, Any]:
        try:
            found = json.loads(self.place.read(SETTINGS))
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ArchiveError(f"{self.address}: {SETTINGS} is not of {FORMAT}; give another --out")
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out while this one writes; in an object store that is up to people.

        Raises ArchiveError where another run is at it.
        """
        if is_address(self.address):
            yield
            return
        busy = ArchiveError(
            f"{self.address}: another run is writing to it; wait until it ends, or give another --out"
        )
        with hold_lock(Path(self.place.path, _LOCK), busy=busy):
            yield

    def list_index(self) -> list[str]:
        """Names of the index's parts, oldest generation first. Raises OSError."""
        return self._list(INDEX)

    def read_index(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A part of the index. Raises ArchiveError where it is damaged."""
        try:
            return pq.read_table(BytesIO(self.place.read(INDEX, name + _ENDING)), columns=columns)
        except (pa.ArrowException, ValueError) as error:
            raise ArchiveError(
                f"{self.address}/{INDEX}/{name}{_ENDING}: damaged; delete it, and run the same command again"
            ) from error

    def write_index(self, name: str, rows: pa.Table) -> None:
        """Write a part of the index. Raises OSError."""
        self._write(rows, INDEX, name)

    def read_groups(self) -> tuple[dict[str, dict[str, int]], list[str]]:
        """The groups of each part of the table, each with one of its files; and names of damaged parts."""
        found, damaged = {}, []
        for name in self._list(RESULTS):
            try:
                with self.place.files.open_input_file(self.place.to_path(RESULTS, name + _ENDING)) as file:
                    footer = pq.read_schema(file).metadata or {}
                found[name] = dict(json.loads(footer[_GROUPS]))
            except (pa.ArrowException, ValueError, KeyError):
                damaged.append(name)
        return found, damaged

    def write_results(self, name: str, rows: pa.Table, groups: Mapping[str, int]) -> None:
        """Write a part of the table, which makes its groups done. Raises OSError."""
        self._write(rows.replace_schema_metadata({_GROUPS: json.dumps(dict(groups)).encode()}), RESULTS, name)

    def read_results(self, name: str) -> pa.Table:
        """A part of the table."""
        return pq.read_table(BytesIO(self.place.read(RESULTS, name + _ENDING)))

    def delete_results(self, name: str) -> None:
        """Delete a part of the table."""
        self.place.delete(RESULTS, name + _ENDING)

    def _list(self, folder: str) -> list[str]:
        names = self.place.list_files(folder)
        return [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]

    def _write(self, rows: pa.Table, folder: str, name: str) -> None:
        buffer = BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self.place.write(buffer.getvalue(), folder, name + _ENDING)
