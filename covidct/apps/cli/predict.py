"""`covidct predict` and `info`: what a model says of slices, and what a model is.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from covidct.apps.cli.options import (
    DEBUG,
    FOLDER,
    OUT,
    PLACE,
    PREVALENCE,
    choose_model,
    gather,
    needs_extra,
    plain_errors,
)
from covidct.apps.cli.predict_options import Objects, Output
from covidct.types import DISCLAIMER, ModelChoice


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@gather(
    "output",
    Output,
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "jsonl", "csv"]),
        help="How results are written; by default a table on a terminal, else JSON lines.",
    ),
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
        help="Let the report show PatientID and AccessionNumber, which it leaves out.",
    ),
)
@gather(
    "objects",
    Objects,
    click.option(
        "--sr", type=PLACE, metavar="FILE.dcm", help="Write the answer as a DICOM structured report, too."
    ),
    click.option(
        "--sc", type=PLACE, metavar="FILE.dcm", help="Write its picture as a DICOM Secondary Capture, too."
    ),
    click.option(
        "--seg",
        type=PLACE,
        metavar="FILE.dcm",
        help="Write where its evidence lies as a DICOM Segmentation.",
    ),
    click.option(
        "--dicomweb", metavar="URL", help="Fetch the study from this DICOMweb server; with --study."
    ),
    click.option("--study", metavar="UID", help="The StudyInstanceUID to fetch."),
    click.option("--stow", is_flag=True, help="Store report and picture on that server."),
)
@click.option(
    "--all-series", is_flag=True, help="Answer for every series that is fit, not for one of each study."
)
@choose_model(
    click.option(
        "--prevalence",
        type=PREVALENCE,
        metavar="P",
        help="Also say what answers are worth where this share of the slices shows COVID-19.",
    )
)
@DEBUG
def predict(
    paths: tuple[str, ...], output: Output, objects: Objects, all_series: bool, choice: ModelChoice
) -> None:
    """Classify slices and series: files, folders, ZIP archives, DICOMDIRs, or - for a list.

    PNG, JPEG and other pictures, DICOM, NIfTI volumes; folders with all that is in them; - reads names from
    standard input. Slices of one DICOM series are sorted from feet to head, wherever they lie, and answered
    for together, too; of each study one series is read.

    With --prevalence, results also give the probability of COVID-19 there, and the PPV and NPV of the
    operating point. Decisions stay those of the operating point.

    --sr, --sc and --seg take a file or, for several series, a folder that is there. For --dicomweb,
    user:password is taken from COVIDCT_DICOMWEB_AUTH.

    Results go to standard output, one a slice and one a series, after its slices; all else to standard error.
    Exit code: 0 when every slice was read (refused ones too), 1 when one was not or there was none, 2 when
    nothing could be done (wrong usage, a damaged model).
    """
    if not paths and objects.dicomweb is None:
        raise click.UsageError("Missing argument '[PATH...]'.")
    if (objects.dicomweb is None) != (objects.study is None) or (objects.stow and objects.dicomweb is None):
        raise click.UsageError("--dicomweb and --study belong together, and --stow to both.")
    from covidct.apps.cli.commands.predict import run_predict

    with plain_errors(), needs_extra("pacs") if objects.any else nullcontext():
        sys.exit(run_predict(paths, output=output, objects=objects, all_series=all_series, choice=choice))


@click.command()
@click.argument("bundle", required=False, type=FOLDER)
@click.option("--card", is_flag=True, help="Print the whole model card.")
@click.option(
    "--check", is_flag=True, help="Also run the graphs on phantoms and compare with the recorded outputs."
)
def info(bundle: Path | None, card: bool, check: bool) -> None:
    """Verify a bundle and say in short what it is.

    The one that ships, unless another is named. Exit code 2 where a file is not what SHA256SUMS says.
    """
    from covidct.apps.cli.commands.info import check_installation, to_short_card
    from covidct.inference.bundle import load_bundle

    with plain_errors():
        loaded = load_bundle(bundle)
        click.echo(loaded.card if card else to_short_card(loaded))
        if check:
            click.echo(check_installation(loaded))
        click.echo(DISCLAIMER, err=True)
