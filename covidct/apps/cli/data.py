"""`covidct audit`, `split` and `augment`: what is done with a data set before anything is trained.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from covidct.apps.cli.options import (
    DATA,
    FOLDER,
    OUT,
    SHARE,
    gather,
    labels_options,
    needs_extra,
    out_option,
    plain_errors,
    tell_when_stopped,
)

CHECKS = ("labels", "duplicates", "splits", "metadata", "shortcuts", "sources", "modality", "sample-size")


@dataclass(frozen=True)
class Reports:
    """Files for the findings of an audit; None where not asked for."""

    html: Path | None
    document: Path | None


@dataclass(frozen=True)
class Division:
    """How a data set is divided: what stays whole, the share (0 to 1) of each split, and the draw."""

    by: str
    test: float
    tune: float
    calibrate: float
    seed: int
    block: int
    keep: bool
    no_pixels: bool


@click.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@gather(
    "reports",
    Reports,
    click.option("--html", type=OUT, metavar="FILE", help="Write a report as one self-contained page."),
    click.option(
        "--json",
        "document",
        type=OUT,
        metavar="FILE",
        help="Write all findings as JSON, with every file named.",
    ),
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn", "never"]),
    default="fail",
    show_default=True,
    help="Lowest level that makes the exit code 1.",
)
@click.option("--only", type=click.Choice(CHECKS), multiple=True, help="Only this check; repeatable.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeatable.")
@labels_options
@click.option(
    "--model", type=FOLDER, metavar="BUNDLE", help="Show the AUC of this model beside the shortcut floor."
)
def audit(
    data: Path,
    reports: Reports,
    fail_on: str,
    only: tuple[str, ...],
    sources: tuple[str, ...],
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    model: Path | None,
) -> None:
    """Check whether a data set is fit to train on.

    Takes a manifest, or a folder with one sub-folder per class. Looks for wrong labels, duplicates, patients
    in two splits, shortcuts, and claims that so few patients cannot support.

    Exit code: 0 if nothing fails, 1 if something does, 2 if nothing could be done.
    """
    if model and only and "shortcuts" not in only:
        raise click.UsageError("--model is set beside the shortcut floor: add --only shortcuts")
    with plain_errors(), needs_extra("audit"):
        from covidct.apps.cli.commands.audit import is_failed, run_audit
        from covidct.audit.report.text import to_text
        from covidct.data.manifest import DataPlan

        with tell_when_stopped(lambda: "No report was written: the same command starts anew."):
            found = run_audit(
                data,
                DataPlan(sources=sources).with_labels(positive, negative),
                only=only,
                model=model,
                html=reports.html,
                document=reports.document,
            )
        click.echo(to_text(found))
        sys.exit(1 if is_failed(found, fail_on) else 0)


@click.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@out_option("The new manifest.", kind=OUT, metavar="NEW.csv")
@gather(
    "division",
    Division,
    click.option(
        "--by",
        type=click.Choice(["patient_id", "study_uid", "series_uid", "source"]),
        default="patient_id",
        show_default=True,
        help="What to keep whole; patients always are.",
    ),
    click.option(
        "--test", type=SHARE, default=0.2, show_default=True, help="Share of slices for the final test."
    ),
    click.option(
        "--tune", type=SHARE, default=0.15, show_default=True, help="Share for choosing epoch and threshold."
    ),
    click.option("--calibrate", type=SHARE, default=0.1, show_default=True, help="Share for calibration."),
    click.option(
        "--seed", type=click.IntRange(0), default=2020, show_default=True, help="Seed of the random draw."
    ),
    click.option(
        "--block",
        type=click.IntRange(1),
        default=10,
        show_default=True,
        help="Slices with neighbouring numbers to keep together if there is no id.",
    ),
    click.option("--keep", is_flag=True, help="Keep the splits that the manifest already has."),
    click.option(
        "--no-pixels",
        is_flag=True,
        help="Do not look for duplicates: faster, and reads no files.",
    ),
)
@labels_options
def split(
    data: Path,
    out: Path,
    division: Division,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
) -> None:
    """Divide a data set into train, tune, calibrate and test.

    No patient is divided, and no picture is separated from its copies. Every source and label is divided in
    the same proportions. The same data and seed give the same splits. Patient ids count within their source;
    DICOM files bring their own. Rows without an id stay with neighbouring numbers and with look-alikes.
    NEW.csv.lock.json locks the test split: it records every measurement on it.
    """
    if division.test + division.tune + division.calibrate >= 1:
        raise click.UsageError("--test, --tune and --calibrate must leave something to train on")
    with plain_errors(), needs_extra("audit"):
        from covidct.apps.cli.commands.split import run_split
        from covidct.data.manifest import DataPlan

        plan = DataPlan(block=division.block, seed=division.seed).with_labels(positive, negative)
        shares = {"test": division.test, "tune": division.tune, "calibrate": division.calibrate}
        alike = not division.no_pixels
        click.echo(run_split(data, out, plan, by=division.by, shares=shares, keep=division.keep, alike=alike))


@click.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@click.option(
    "--to",
    required=True,
    type=click.IntRange(2),
    metavar="N",
    help="Total number of slices to reach, half of them in each class.",
)
@out_option("The new folder, with its manifest.csv.")
@click.option(
    "--rotation",
    type=click.FloatRange(0, 180, min_open=True),
    default=15.0,
    show_default=True,
    help="Rotate copies by up to this many degrees either way.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=2020, show_default=True, help="Seed of the random draw."
)
@labels_options
def augment(
    data: Path,
    to: int,
    out: Path,
    rotation: float,
    seed: int,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
) -> None:
    """Balance both classes with rotated and mirrored copies.

    DIR gets every labelled slice as PNG, and copies until each class has half of N, the same number for each
    slice. DIR/manifest.csv names the parent of each copy. Split first, and measure on originals only.
    Training augments on the fly and does not need this.
    """
    with plain_errors():
        from covidct.apps.cli.commands.augment import run_augment
        from covidct.data.manifest import DataPlan
        from covidct.training.augment_offline import Enlargement

        plan = DataPlan().with_labels(positive, negative)
        click.echo(run_augment(data, out, plan, Enlargement(to, rotation, seed)))
