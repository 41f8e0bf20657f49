"""`covidct evaluate`, `gate` and `examine`: a bundle measured on a manifest.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path

import click

from covidct.apps.cli.options import (
    BUNDLE,
    GRAPH,
    OUT,
    PREVALENCE,
    SOURCES,
    SPLIT,
    Labels,
    data_option,
    gather,
    labels_options,
    needs_extra,
    out_option,
    plain_errors,
    tell_when_stopped,
    to_labels,
)
from covidct.types import DISCLAIMER, Precision


@click.command()
@BUNDLE
@data_option("The slices.")
@SPLIT
@SOURCES
@gather("labels", to_labels, labels_options)
@out_option("Folder for the report.")
@click.option(
    "--prevalence",
    "prevalences",
    type=PREVALENCE,
    multiple=True,
    default=(0.05, 0.5),
    show_default=True,
    metavar="P",
    help="Report PPV and NPV at this prevalence (share of slices with COVID-19); repeatable.",
)
@GRAPH
def evaluate(
    bundle: Path,
    data: Path,
    split: str,
    sources: tuple[str, ...],
    labels: Labels,
    out: Path,
    prevalences: tuple[float, ...],
    precision: Precision,
) -> None:
    """Measure a BUNDLE on labelled slices.

    Default: the model that ships. Reports every figure with its 95 % interval, overall and by source, and at
    each operating point the coverage of the prediction sets and PPV and NPV. DIR gets evaluation.json,
    scores.csv and plots (ROC, calibration, confusion, scores, the worst mistakes with their evidence).
    Sources that the bundle was not trained on are `external`. If the test split of the manifest is locked,
    the lock records the measurement.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.evaluate import run_evaluate

        kept = f"What is in {out} may be half a report: the same command starts anew, and replaces it."
        with tell_when_stopped(lambda: kept):
            table = run_evaluate(
                bundle,
                data,
                split=split,
                sources=sources,
                labels=labels,
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
@click.option("--json", "document", type=OUT, metavar="FILE", help="Also write all figures as JSON.")
@GRAPH
def gate(bundle: Path, data: Path, document: Path | None, precision: Precision) -> None:
    """Measure what a BUNDLE refuses, from pixels alone.

    Default: the model that ships. DICOM headers are ignored. Reports for each source how many pictures are
    refused and why, with exact 95 % intervals. Real slices count only with lung in view: their mask, or
    without one the lung finder of the model, marks at least 2 % of the picture as lung. The gate may have
    been trained on rows without a split.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.gate import run_gate

        click.echo(run_gate(bundle, data, document=document, precision=precision))


@click.command()
@BUNDLE
@data_option("The slices.")
@SPLIT
@SOURCES
@out_option("Folder for the report.")
@GRAPH
def examine(
    bundle: Path, data: Path, split: str, sources: tuple[str, ...], out: Path, precision: Precision
) -> None:
    """Examine what the answers of a BUNDLE rest on, and how stable they are.

    Default: the model that ships. Does the evidence point at lesions (on slices with masks), and no longer
    when the weights are shuffled? What is left when the lungs are blacked out? How far do answers move when
    a slice is shown in another way? DIR gets examination.json and pictures. Phantoms are examined, too, and
    rows without a label where none is needed.
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
