"""`covidct evaluate`, `gate` and `examine`: a bundle measured on a manifest.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path

import click

from covidct.apps.cli.options import (
    BUNDLE,
    FOLDER,
    GRAPH,
    OUT,
    PREVALENCE,
    SOURCES,
    SPLIT,
    data_option,
    needs_extra,
    plain_errors,
)
from covidct.types import DISCLAIMER, Precision


@click.command()
@BUNDLE
@data_option("The slices.", folders=False)
@SPLIT
@SOURCES
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="Where the report is written.")
@click.option(
    "--prevalence",
    "prevalences",
    type=PREVALENCE,
    multiple=True,
    default=(0.05, 0.5),
    show_default=True,
    metavar="P",
    help="PPV and NPV where this share of the slices shows COVID-19; may be given again.",
)
@GRAPH
def evaluate(
    bundle: Path,
    data: Path,
    split: str,
    sources: tuple[str, ...],
    out: Path,
    prevalences: tuple[float, ...],
    precision: Precision,
) -> None:
    """Measure a BUNDLE on labelled slices.

    Without BUNDLE the model that ships. Every figure with its 95 % interval, overall and by source; at
    each of the bundle's operating points also the coverage of its prediction sets, and PPV and NPV by
    prevalence. DIR gets evaluation.json, scores.csv and plots (ROC, calibration, confusion, scores, the
    worst mistakes with their evidence). Sources that the bundle was not trained on are `external`. Where
    the manifest's test split is locked, the lock records the measurement.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.evaluate import run_evaluate

        table = run_evaluate(
            bundle,
            data,
            split=split,
            sources=sources,
            out=out,
            prevalences=prevalences,
            precision=precision,
        )
        click.echo(table)
        click.echo(f"Report and plots are in {out}.", err=True)
        click.echo(DISCLAIMER, err=True)


@click.command()
@BUNDLE
@data_option("The pictures.", folders=False)
@click.option("--json", "document", type=OUT, metavar="FILE", help="Write every figure as JSON too.")
@GRAPH
def gate(bundle: Path, data: Path, document: Path | None, precision: Precision) -> None:
    """Measure what a BUNDLE refuses, by pixels alone.

    Without BUNDLE the model that ships. DICOM headers are not asked. For each source: how many pictures
    are refused and why, with exact 95 % intervals. Sources of real slices count those with lung in view,
    which is where their own mask, or else the model's finder, sees 2 % of the picture as lung. Rows
    without a split may have taught the gate.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.gate import run_gate

        click.echo(run_gate(bundle, data, document=document, precision=precision))


@click.command()
@BUNDLE
@data_option("The slices.", folders=False)
@SPLIT
@SOURCES
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="Where the report is written.")
@GRAPH
def examine(
    bundle: Path, data: Path, split: str, sources: tuple[str, ...], out: Path, precision: Precision
) -> None:
    """Ask what a BUNDLE's answers rest on, and how steady they are.

    Without BUNDLE the model that ships. Whether its evidence points at lesions (slices with masks beside
    them), and no longer when its weights are shuffled; what it still tells when the lungs are blacked
    out; how far its answers move when a slice is shown in another way. DIR gets examination.json and
    pictures. Phantoms are examined beside, and so are rows without a label where no label is needed.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.examine import run_examine

        table = run_examine(
            bundle,
            data,
            split=split,
            sources=sources,
            out=out,
            precision=precision,
        )
        click.echo(table)
        click.echo(f"Report and pictures are in {out}.", err=True)
        click.echo(DISCLAIMER, err=True)
