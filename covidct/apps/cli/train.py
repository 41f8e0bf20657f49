"""`covidct train`, `benchmark`, `calibrate` and `card`: models made, compared, fitted and described.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path

import click

from covidct.apps.cli.options import (
    BUNDLE,
    DATA,
    FILE,
    FOLDER,
    OUT,
    PLACE,
    PRETRAINED,
    SOURCES,
    THREADS,
    WORKERS,
    accept_option,
    data_option,
    gather,
    labels_options,
    needs_extra,
    out_option,
    plain_errors,
    tell_when_stopped,
)
from covidct.apps.cli.train_options import RunOptions, TrialOptions
from covidct.types import DISCLAIMER


@click.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER", envvar="COVIDCT_MANIFEST")
@gather(
    "asked",
    RunOptions,
    click.option(
        "--recipe",
        required=True,
        metavar="NAME|FILE",
        help="How to train: scratch (a small network from random weights), mobilenet (transfer learning), "
        "lung (the lungs alone), or a TOML file.",
    ),
    out_option("Folder of the run. An interrupted run is continued."),
    labels_options,
    PRETRAINED,
    click.option("--version", "number", default="0.1.0", show_default=True, help="Version of the model."),
    click.option("--notes", type=FILE, metavar="FILE", help="Markdown to add to the model card."),
    WORKERS,
    THREADS,
    click.option(
        "--rate",
        type=click.Choice(["recipe", "auto"]),
        default="recipe",
        show_default=True,
        help="Learning rates: the recipe's, or those that a search suggests.",
    ),
    click.option(
        "--find-rate",
        is_flag=True,
        help="Only search for the learning rate of each phase; writes DIR/rates*.png.",
    ),
    click.option(
        "--gate-only",
        is_flag=True,
        help="Only train the lung finder and the gate; writes DIR/gate.safetensors.",
    ),
    accept_option("Train although the audit fails, for this reason, which goes into the model card."),
    click.option(
        "--pool",
        type=FOLDER,
        metavar="DIR",
        help="A benchmark of this recipe: calibrate on the sources it left out, not on splits of the data.",
    ),
)
def train(data: Path, asked: RunOptions) -> None:
    """Train a model on labelled slices; writes DIR/bundle.

    Takes a manifest, or a folder with one sub-folder per class. The data are audited first (DIR/audit.html).
    If the audit fails, nothing is trained without --accept.
    """
    if data.suffix == ".toml":
        raise click.UsageError("give the data first: covidct train MANIFEST.csv|FOLDER --recipe NAME|FILE")
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.train import run_train, tell_kept

        with tell_when_stopped(lambda: tell_kept(asked.out)):
            for line in run_train(data, asked):
                click.echo(line)
        click.echo(DISCLAIMER, err=True)


@click.command()
@click.argument("recipes", nargs=-1, metavar="RECIPE...")
@click.option(
    "--leave-one-source-out",
    is_flag=True,
    required=True,
    help="Protocol: train on all sources but one, test on that one.",
)
@gather(
    "asked",
    TrialOptions,
    data_option("The slices.", required=False),
    PRETRAINED,
    out_option("Folder for all results. An interrupted run is continued."),
    click.option(
        "--left-out",
        multiple=True,
        metavar="SOURCE",
        help="A source to leave out, or several joined by +; repeatable. Default: each with ten patients of "
        "either label.",
    ),
    click.option(
        "--seeds",
        type=click.IntRange(1, 100),
        default=3,
        show_default=True,
        help="Trainings per recipe, counting up from its own seed.",
    ),
    click.option(
        "--finder", type=FILE, metavar="FILE", help="A trained lung finder (safetensors) for all trainings."
    ),
    WORKERS,
    accept_option("Train although an audit fails, for this reason, which is recorded."),
    click.option("--table-only", is_flag=True, help="Train nothing; only print the table of what is in DIR."),
)
def benchmark(recipes: tuple[str, ...], leave_one_source_out: bool, asked: TrialOptions) -> None:
    """Train RECIPEs (names or files) without one source each, and test on that source.

    For every source left out, recipe and seed: weights, epoch, threshold and temperature come from the other
    sources only. Then all labelled slices of the one left out are scored through the exported graph. The
    table comes with the shortcut floor of each source. DIR gets benchmark.json, .md and .png, and a
    folder per training. Finished trainings are not repeated.
    """
    if not asked.table_only and asked.data is None:
        raise click.UsageError("--data is needed to train; or add --table-only")
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.benchmark import run_trials, write_standings

        kept = f"Whole epochs and trainings are kept in {asked.out}: the same command goes on from there."
        if asked.data is not None and not asked.table_only:
            with tell_when_stopped(lambda: kept):
                run_trials(recipes, asked.data, asked)
        click.echo(write_standings(asked.out))
        click.echo(DISCLAIMER, err=True)


@click.command()
@BUNDLE
@data_option("The hospital's labelled slices.")
@out_option("Folder for the new bundle; must not exist or be empty.", kind=PLACE)
@SOURCES
@labels_options
@click.option(
    "--site",
    default="site",
    show_default=True,
    metavar="NAME",
    help="Name of the site, for the version: VERSION+NAME.",
)
@accept_option("Write it although it is no better, for this reason, which goes into the model card.")
def calibrate(
    bundle: Path,
    data: Path,
    out: Path,
    sources: tuple[str, ...],
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    site: str,
    accept: str,
) -> None:
    """Fit a BUNDLE's probabilities and thresholds to a hospital.

    Default: the model that ships. Trains nothing: graphs, gate and evidence map stay the same, byte for
    byte. Temperature, shift, operating points and the limits of the prediction sets are fitted to the
    hospital's own labelled slices, of at least ten patients with COVID-19 and ten without. The table
    compares the bundle before and after, in ten folds of patients, each measured with a calibration from the
    others. If the Brier score does not fall, nothing is written without --accept. Slices of the `test` split
    are left out, to measure on later.
    """
    with plain_errors(), needs_extra("audit"):
        from covidct.apps.cli.commands.calibrate import run_calibrate

        with tell_when_stopped(lambda: "No bundle was written: the same command starts anew."):
            lines = run_calibrate(
                bundle,
                data,
                out,
                sources=sources,
                labels=(positive, negative),
                name=site,
                accept=accept.strip(),
            )
            for line in lines:
                click.echo(line)
        click.echo(f"The bundle is {out}.", err=True)
        click.echo(DISCLAIMER, err=True)


@click.command()
@click.argument("bundle", type=FOLDER)
@click.option("--benchmark", type=FILE, metavar="FILE", help="benchmark.json of covidct benchmark.")
@click.option("--examination", type=FILE, metavar="FILE", help="examination.json of covidct examine.")
@click.option("--gate", type=FILE, metavar="FILE", help="Output of covidct gate --json.")
@click.option("--notes", type=FILE, metavar="FILE", help="Markdown to replace the notes from training.")
@click.option("--failures", type=OUT, metavar="FILE", help="Draw its failures on synthetic slices as PNG.")
def card(
    bundle: Path,
    benchmark: Path | None,
    examination: Path | None,
    gate: Path | None,
    notes: Path | None,
    failures: Path | None,
) -> None:
    """Rebuild the model card of a BUNDLE.

    It is made from what the bundle records of its training and from later measurements. Replaces README.md
    and SHA256SUMS of the bundle, nothing else. What you do not give is reported as open.
    """
    with plain_errors(), needs_extra("train"):
        from covidct.apps.cli.commands.card import rewrite_card

        rewrite_card(
            bundle,
            benchmark=benchmark,
            examination=examination,
            gate=gate,
            notes=notes,
            failures=failures,
        )
        click.echo(bundle / "README.md")
