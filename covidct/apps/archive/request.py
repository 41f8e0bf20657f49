"""What `covidct archive` is asked for, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ArchiveRequest:
    """The options as they were given.

    `inputs` are files, folders, `scheme://` addresses of object stores and addresses of DICOMweb servers;
    `out` is a folder or such an address. `address` is a Ray cluster's HOST:PORT, None for this machine alone.
    """

    inputs: tuple[str, ...]
    out: str
    address: str | None = None
    all_series: bool = False
