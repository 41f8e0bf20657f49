"""`covidct predict` and `info`: what a model says of slices, and what a model is.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from covidct.apps.cli.options import (
    ALL_SERIES,
    AT_PREVALENCE,
    DEBUG,
    FOLDER,
    OUT,
    PLACE,
    choose_model,
    gather,
    needs_extra,
    plain_errors,
    tell_when_stopped,
)
from covidct.apps.cli.predict_options import Objects, Output
from covidct.types import DISCLAIMER, ModelChoice

STOPPED = (
    "Answers given so far stand; the others, and what is written last (reports), are missing: the same "
    "command starts anew."
)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@gather(
    "output",
    Output,
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "jsonl", "csv"]),
        help="Format of the results. Default: a table on a terminal, else JSON lines.",
    ),
    click.option("--slices", is_flag=True, help="List the slices of series in the table, too."),
    click.option(
        "--heatmaps", type=FOLDER, metavar="DIR", help="Write an overlay of the evidence for each slice."
    ),
    click.option(
        "--report",
        type=OUT,
        metavar="FILE.html",
        help="Write a page for each series, to read, sign and print.",
    ),
    click.option(
        "--identify",
        is_flag=True,
        help="Show PatientID and AccessionNumber in the report.",
    ),
)
@gather(
    "objects",
    Objects,
    click.option(
        "--sr", type=PLACE, metavar="FILE.dcm", help="Also write the answer as a DICOM structured report."
    ),
    click.option(
        "--sc", type=PLACE, metavar="FILE.dcm", help="Also write its picture as a DICOM Secondary Capture."
    ),
    click.option(
        "--seg",
        type=PLACE,
        metavar="FILE.dcm",
        help="Also write the region of the evidence as a DICOM Segmentation.",
    ),
    click.option(
        "--dicomweb", metavar="URL", help="Fetch the study from this DICOMweb server; with --study."
    ),
    click.option("--study", metavar="UID", help="The StudyInstanceUID to fetch."),
    click.option("--stow", is_flag=True, help="Store report and picture on that server."),
)
@ALL_SERIES
@choose_model(AT_PREVALENCE)
@DEBUG
def predict(
    paths: tuple[str, ...], output: Output, objects: Objects, all_series: bool, choice: ModelChoice
) -> None:
    """Classify slices and series: files, folders, ZIP archives, DICOMDIRs, or - for a list.

    Reads PNG, JPEG and other pictures, DICOM, volumes (NIfTI, MetaImage, NRRD, NumPy), and folders with
    everything in them; - reads names from standard input. Slices of a DICOM series are sorted from feet to
    head, wherever they are, and the series gets an answer, too. One series of each study is answered.

    --prevalence adds the probability of COVID-19 at that prevalence, and PPV and NPV of the operating point.
    It changes no decision.

    --sr, --sc and --seg take a file or, for several series, an existing folder. --dicomweb takes
    user:password from COVIDCT_DICOMWEB_AUTH.

    Results go to standard output. The table has a line per series with what it rests on below, and slices
    of series only with --slices; JSON lines and CSV have one result per slice and one per series, after its
    slices. Everything else goes to standard error. Exit code: 0 if every slice was read (refused ones
    included), 1 if one was not or there was none, 2 if nothing could be done (wrong usage, a damaged model).
    """
    if not paths and objects.dicomweb is None:
        raise click.UsageError("Missing argument '[PATH...]'.")
    if (objects.dicomweb is None) != (objects.study is None) or (objects.stow and objects.dicomweb is None):
        raise click.UsageError("--dicomweb and --study belong together, and --stow to both.")
    from covidct.apps.cli.commands.predict import run_predict

    with (
        plain_errors(),
        needs_extra("pacs") if objects.any else nullcontext(),
        tell_when_stopped(lambda: STOPPED),
    ):
        sys.exit(run_predict(paths, output=output, objects=objects, all_series=all_series, choice=choice))


@click.command()
@click.argument("bundle", required=False, type=FOLDER)
@click.option("--card", is_flag=True, help="Print the whole model card.")
@click.option(
    "--check", is_flag=True, help="Also run the graphs on phantoms and compare with the recorded outputs."
)
def info(bundle: Path | None, card: bool, check: bool) -> None:
    """Verify a bundle and summarise it.

    Default: the model that ships. Exit code 2 if a file does not match SHA256SUMS.
    """
    from covidct.apps.cli.commands.info import check_installation, to_short_card
    from covidct.inference.bundle import load_bundle

    with plain_errors():
        loaded = load_bundle(bundle)
        click.echo(loaded.card if card else to_short_card(loaded))
        if check:
            click.echo(check_installation(loaded))
        click.echo(DISCLAIMER, err=True)
