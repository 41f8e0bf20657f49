"""What `covidct predict` fetches from a PACS and hands out as DICOM objects, to files or to the PACS.

Knows the options. Imports the libraries for it only where one of them was given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from covidct.apps.cli.predict_options import Objects
from covidct.series.sources import Candidate
from covidct.series.types import SeriesAnswer


@contextmanager
def fetch(objects: Objects) -> Iterator[list[Candidate]]:
    """The instances of the study asked for, in a private folder that is removed. Raises DicomwebError."""
    if objects.dicomweb is None or objects.study is None:
        yield []
        return
    from covidct.apps.pacs.dicomweb import Archive
    from covidct.images.scratch import open_scratch

    with open_scratch() as folder, Archive(objects.dicomweb) as archive:
        yield archive.fetch(objects.study, folder, track=_track)


def hand_out(objects: Objects, answers: Sequence[SeriesAnswer]) -> None:
    """Write and store what was asked for, and say so. Raises ReportError, DicomwebError, OSError."""
    if not (objects.sr or objects.sc or objects.seg or objects.stow):
        return
    from covidct.results.dicom.files import SC, SEG, SR, choose_reported, to_object_files, write_objects

    picture, segmentation = bool(objects.sc or objects.stow), objects.seg is not None
    made = [
        to_object_files(answer, picture=picture, segmentation=segmentation)
        for answer in choose_reported(answers)
    ]
    for kind, place in ((SR, objects.sr), (SC, objects.sc), (SEG, objects.seg)):
        if place is not None:
            for path in write_objects(made, kind, place):
                click.echo(f"DICOM: {path}", err=True)
    if objects.stow and objects.dicomweb is not None:
        from covidct.apps.pacs.dicomweb import Archive

        with Archive(objects.dicomweb) as archive:
            archive.store(data for one in made for data in one.files.values())
        click.echo(f"Stored on {objects.dicomweb}.", err=True)


def _track(items: list[Any]) -> Iterator[Any]:
    """Items under a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label="fetching", file=sys.stderr) as bar:
        yield from bar
