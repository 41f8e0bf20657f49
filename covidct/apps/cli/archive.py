"""`covidct archive`: the options, and how it ends."""

from __future__ import annotations

import sys

import click

from covidct.apps.archive.request import ArchiveRequest
from covidct.apps.cli.options import (
    ALL_SERIES,
    AT_PREVALENCE,
    DEBUG,
    choose_model,
    gather,
    needs_extra,
    plain_errors,
    tell_when_stopped,
)
from covidct.types import DISCLAIMER, ModelChoice


@click.command()
@gather(
    "request",
    ArchiveRequest,
    click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
    click.option(
        "--out",
        required=True,
        metavar="TABLE",
        help="Folder or address (s3://...) for the Parquet table; an existing one is continued.",
    ),
    click.option(
        "--address", metavar="HOST:PORT", help="A Ray cluster to work on. Default: this machine alone."
    ),
    ALL_SERIES,
)
@choose_model(AT_PREVALENCE)
@DEBUG
def archive(request: ArchiveRequest, choice: ModelChoice) -> None:
    """Classify an archive of any size, on all cores or on a Ray cluster.

    INPUT: folders, ZIP archives and files; addresses of object stores (s3://, gs://, file:// ...); DICOMweb
    servers (https://...). All headers are read first, so that the slices of a series are answered together
    wherever they are; the answers are those of `covidct predict`.

    TABLE/results is a Parquet table: one row per slice and one per series. A file that cannot be read has a
    row with its error; one that kills its worker twice is set aside and named. Stopped, the command continues
    where it was when run again; if the archive has grown, it answers only what is new.

    Progress goes to standard error. Exit code: 0 if every slice was read, 1 if one was not read or not
    available, 2 if the run had to stop; answers so far stay.
    """
    with plain_errors(), needs_extra("scale"):
        from covidct.apps.archive.engine import RayEngine
        from covidct.apps.archive.progress import Progress, to_sentences
        from covidct.apps.archive.run import run_archive

        progress = Progress(lambda line: click.echo(line, err=True))
        kept = f"What was answered is kept in {request.out}: the same command goes on from there."
        with (
            tell_when_stopped(lambda: kept),
            RayEngine(address=request.address, workers=choice.threads) as engine,
        ):
            summary = run_archive(request, choice, engine=engine, tell=progress)
        for line in (*to_sentences(summary, request.out), DISCLAIMER):
            click.echo(line, err=True)
        sys.exit(1 if summary.errors or summary.left else 0)
