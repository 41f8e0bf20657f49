"""What was named on the command line -> files, with what tells whether they changed.

Knows where files lie. Opens none of them: that is the work of many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from covidct.apps.archive.keys import to_key
from covidct.apps.archive.places import is_address, is_web, open_place
from covidct.errors import ArchiveError
from covidct.images.files import is_clutter, is_contents, is_folder, walk


@dataclass(frozen=True)
class Listed:
    """A file, or a study of a DICOMweb server: its path or address, and what was `given` to find it.

    `version` changes with it. `instances` is 1, or how many a study has. `is_named` where it was given
    itself, and not a folder with it: it is then read whatever it is.
    """

    path: str
    given: str
    version: int
    instances: int = 1
    is_named: bool = False


def list_inputs(inputs: Iterable[str]) -> Iterator[Listed]:
    """All files of the inputs, in their order. Raises ArchiveError for a place that cannot be listed."""
    for given in inputs:
        if is_web(given):
            yield from _list_server(given)
        elif is_address(given):
            yield from _list_store(given)
        else:
            yield from _list_local(Path(given).absolute())


def _list_local(path: Path) -> Iterator[Listed]:
    name = str(path)
    if is_contents(path.name) and path.is_file():
        # Here, not above: it imports pydicom.
        from covidct.series.dicomdir import read_dicomdir

        yield from (_list_file(file, name, is_named=True) for file, _ in read_dicomdir(path, name=name))
    elif is_folder(path):
        yield from (_list_file(entry, name) for entry, is_file in walk(path) if is_file)
    else:
        yield _list_file(path, name, is_named=True)


def _list_file(path: Path, given: str, *, is_named: bool = False) -> Listed:
    try:
        status = os.stat(path)
        version = to_key(str(path), status.st_size, status.st_mtime_ns)
    except (OSError, ValueError):  # reading it says why
        version = to_key(str(path))
    return Listed(str(path), given, version, is_named=is_named)


def _list_store(given: str) -> Iterator[Listed]:
    """The objects below an address, or the one that it names."""
    try:
        place = open_place(given)
        info = place.files.get_file_info(place.path)
        is_named = info.type is fs.FileType.File
        for one in [info] if is_named else place.walk():
            if is_named or not is_clutter(one.base_name):
                address = place.to_address(one.path)
                version = to_key(address, one.size or 0, one.mtime_ns or 0)
                yield Listed(address, given, version, is_named=is_named)
    except OSError as error:
        raise ArchiveError(
            f"{given}: cannot be listed ({error}); check address, permissions and network, then run it again"
        ) from error


def _list_server(given: str) -> Iterator[Listed]:
    # Here, not above: the libraries for it come with another extra.
    from covidct.apps.pacs.dicomweb import Archive

    with Archive(given) as archive:
        for study, instances in archive.find_studies():
            address = f"{archive.url}/studies/{study}"
            yield Listed(address, given, to_key(address, instances), instances=instances, is_named=True)
