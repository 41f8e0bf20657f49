"""What `covidct predict` is asked for, as values: how results are written, which objects come and go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Output:
    """How results are written: by default a table on a terminal, else JSON lines.

    With `slices` the table has a line for each slice of a series, too.
    `heatmaps` is a folder for overlays, `report` a page for series, which shows PatientID and AccessionNumber
    only with `identify`; None where not asked for.
    """

    form: Literal["table", "jsonl", "csv"] | None = None
    slices: bool = False
    heatmaps: Path | None = None
    report: Path | None = None
    identify: bool = False


@dataclass(frozen=True)
class Objects:
    """Where report, picture and segmentation go, and where the study comes from; None where not asked for.

    `stow` stores report and picture on the server at `dicomweb`, from which the study with UID `study` is
    fetched; the segmentation too where `seg` is given.
    """

    sr: Path | None = None
    sc: Path | None = None
    seg: Path | None = None
    dicomweb: str | None = None
    study: str | None = None
    stow: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is asked for that takes the DICOM libraries."""
        return any((self.sr, self.sc, self.seg, self.dicomweb))
