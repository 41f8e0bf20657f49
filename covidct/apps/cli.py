"""The command line: `covidct predict`, `info`, `audit`, `split`, `augment`, `train`, `serve` and more.

Knows options, streams and exit codes. Everything heavy is imported by the command that needs it,
so that `covidct --help` answers at once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

import covidct
from covidct.errors import CovidctError
from covidct.report import DISCLAIMER

MISSING = "an extra is not installed; in the clone of covidct run: {} -m pip install '.[{}]'"
CHECKS = ("labels", "duplicates", "splits", "metadata", "shortcuts", "sources", "modality", "claims")
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DATA = click.Path(exists=True, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)
SHARE = click.FloatRange(0, 1, max_open=True)
# Options of every command that runs a model.
MODEL = click.option(
    "--model", type=FOLDER, metavar="BUNDLE", help="A model directory; by default the one that ships."
)
GRAPH = click.option(
    "--float/--int8",
    "use_float",
    default=True,
    show_default=True,
    help="Which of the model's graphs: int8 is a smaller file, and quicker; its logits differ from those of "
    "float, mostly by less than 0.3.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(1, 256), help="Cores to use; by default all that may be used."
)


class _Prevalence(click.FloatRange):
    """Between 0 and 1, both left out; a range alone lets `nan` pass."""

    def __init__(self) -> None:
        super().__init__(0, 1, min_open=True, max_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number between 0 and 1.", param, ctx)
        return float(number)


PREVALENCE = _Prevalence()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(covidct.__version__, prog_name="covidct")
def main() -> None:
    """Classify axial chest-CT slices for COVID-19 pneumonia. Research use only; not a medical device."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files need not be valid text, and not every terminal has every letter.
        sys.stdout.reconfigure(errors="backslashreplace")


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "csv"]),
    help="How results are written; by default a table on a terminal, else JSON lines.",
)
@click.option(
    "--heatmaps", type=FOLDER, metavar="DIR", help="Write an overlay of the evidence for each slice."
)
@click.option(
    "--report", type=OUT, metavar="FILE.html", help="Write a page for each series, to read, sign and print."
)
@click.option(
    "--identify", is_flag=True, help="Let the report show PatientID and AccessionNumber, which it leaves out."
)
@click.option(
    "--sr", type=PLACE, metavar="FILE.dcm", help="Write the answer as a DICOM structured report, too."
)
@click.option(
    "--sc", type=PLACE, metavar="FILE.dcm", help="Write its picture as a DICOM Secondary Capture, too."
)
@click.option(
    "--seg",
    type=PLACE,
    metavar="FILE.dcm",
    help="Write where its evidence lies as a DICOM Segmentation.",
)
@click.option("--dicomweb", metavar="URL", help="Fetch the study from this DICOMweb server; with --study.")
@click.option("--study", metavar="UID", help="The StudyInstanceUID to fetch.")
@click.option("--stow", is_flag=True, help="Store report and picture on that server.")
@click.option(
    "--all-series", is_flag=True, help="Answer for every series that is fit, not for one of each study."
)
@MODEL
@GRAPH
@click.option(
    "--operating-point",
    metavar="NAME",
    help="One of the model's, as `covidct info` names them; by default its first.",
)
@click.option(
    "--prevalence",
    type=PREVALENCE,
    metavar="P",
    help="Also say what answers are worth where this share of the slices shows COVID-19.",
)
@THREADS
def predict(
    paths: tuple[str, ...],
    form: str | None,
    heatmaps: Path | None,
    report: Path | None,
    identify: bool,
    sr: Path | None,
    sc: Path | None,
    seg: Path | None,
    dicomweb: str | None,
    study: str | None,
    stow: bool,
    all_series: bool,
    model: Path | None,
    use_float: bool,
    operating_point: str | None,
    prevalence: float | None,
    threads: int | None,
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
    if not paths and dicomweb is None:
        raise click.UsageError("Missing argument '[PATH...]'.")
    if (dicomweb is None) != (study is None) or (stow and dicomweb is None):
        raise click.UsageError("--dicomweb and --study belong together, and --stow to both.")
    from covidct.apps.predicting import run_predict
    from covidct.apps.predicting_objects import Objects

    pacs = any((sr, sc, seg, dicomweb))
    with _plain_errors(), _needs_extra("pacs") if pacs else nullcontext():
        sys.exit(
            run_predict(
                paths,
                form=form or ("table" if sys.stdout.isatty() else "jsonl"),
                heatmaps=heatmaps,
                report=report,
                identify=identify,
                all_series=all_series,
                model=model,
                precision="float" if use_float else "int8",
                operating_point=operating_point,
                prevalence=prevalence,
                threads=threads,
                objects=Objects(sr=sr, sc=sc, seg=seg, dicomweb=dicomweb, study=study, stow=stow),
            )
        )


@main.command()
@click.argument("bundle", required=False, type=FOLDER)
@click.option("--card", is_flag=True, help="Print the whole model card.")
@click.option(
    "--check", is_flag=True, help="Also run the graphs on phantoms and compare with the recorded outputs."
)
def info(bundle: Path | None, card: bool, check: bool) -> None:
    """Verify a bundle and say in short what it is.

    The one that ships, unless another is named. Exit code 2 where a file is not what SHA256SUMS says.
    """
    from covidct.apps.describing import check_installation, to_short_card
    from covidct.bundle import load_bundle

    with _plain_errors():
        loaded = load_bundle(bundle)
        click.echo(loaded.card if card else to_short_card(loaded))
        if check:
            click.echo(check_installation(loaded))
        click.echo(DISCLAIMER, err=True)


def _labels(command: Callable[..., None]) -> Callable[..., None]:
    """Which labels of a data set mean what."""
    options = (
        click.option(
            "--positive",
            multiple=True,
            default=("covid",),
            show_default=True,
            metavar="LABEL",
            help="A label that means COVID-19; may be given again.",
        ),
        click.option(
            "--negative",
            multiple=True,
            default=("non-covid", "no-lesion"),
            show_default=True,
            metavar="LABEL",
            help="A label that means something else; may be given again.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@click.option("--html", type=OUT, metavar="FILE", help="Write a report to look at, one self-contained page.")
@click.option(
    "--json", "document", type=OUT, metavar="FILE", help="Write everything found, each file named, as JSON."
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn", "never"]),
    default="fail",
    show_default=True,
    help="From which level on the exit code is 1.",
)
@click.option("--only", type=click.Choice(CHECKS), multiple=True, help="Only this check; may be given again.")
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this source; may be given again."
)
@_labels
@click.option(
    "--model", type=FOLDER, metavar="BUNDLE", help="A model whose AUC to set beside the shortcut floor."
)
def audit(
    data: Path,
    html: Path | None,
    document: Path | None,
    fail_on: str,
    only: tuple[str, ...],
    sources: tuple[str, ...],
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    model: Path | None,
) -> None:
    """Ask whether a data set is fit to learn from.

    DATA is a manifest, or a folder with one sub-folder a class, each named exactly as its label. Looks for
    wrong labels, duplicates, patients in two splits, shortcuts, and claims that so few patients cannot bear.

    Exit code: 0 when nothing fails, 1 when something does, 2 when nothing could be done.
    """
    if model and only and "shortcuts" not in only:
        raise click.UsageError("--model is set beside the shortcut floor: add --only shortcuts")
    with _plain_errors(), _needs_extra("audit"):
        from covidct.apps.auditing import is_failed, run_audit
        from covidct.audit.text import to_text
        from covidct.plan import DataPlan

        found = run_audit(
            data,
            DataPlan(sources=sources, positive=positive, negative=negative),
            only=only,
            model=model,
            html=html,
            document=document,
        )
        click.echo(to_text(found))
        sys.exit(1 if is_failed(found, fail_on) else 0)


@main.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@click.option(
    "--to",
    required=True,
    type=click.IntRange(2),
    metavar="N",
    help="How many slices there shall be, half of them of each class.",
)
@click.option(
    "--out", required=True, type=FOLDER, metavar="DIR", help="The new folder, with its manifest.csv."
)
@click.option(
    "--rotation",
    type=click.FloatRange(0, 180, min_open=True),
    default=15.0,
    show_default=True,
    help="Copies are turned by up to so many degrees either way.",
)
@click.option("--seed", type=click.IntRange(0), default=2020, show_default=True, help="Another draw.")
@_labels
def augment(
    data: Path,
    to: int,
    out: Path,
    rotation: float,
    seed: int,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
) -> None:
    """Fill up both classes with turned and mirrored copies.

    DIR gets every labelled slice as PNG, and copies until each class has half of N, equally many of each
    slice. DIR/manifest.csv names the parent of each copy. Split first, and measure on originals only.
    Training augments on the fly and does not need this.
    """
    with _plain_errors():
        from covidct.apps.augmenting import run_augment
        from covidct.plan import DataPlan
        from covidct.train.offline import Enlargement

        plan = DataPlan(positive=positive, negative=negative)
        click.echo(run_augment(data, out, plan, Enlargement(to, rotation, seed)))


@main.command()
@click.argument("data", type=DATA, metavar="MANIFEST.csv|FOLDER")
@click.option("--out", required=True, type=OUT, metavar="NEW.csv", help="The new manifest.")
@click.option(
    "--by",
    type=click.Choice(["patient_id", "study_uid", "series_uid", "source"]),
    default="patient_id",
    show_default=True,
    help="What must not be divided; patients never are.",
)
@click.option(
    "--test", type=SHARE, default=0.2, show_default=True, help="Share of slices for the final test."
)
@click.option("--tune", type=SHARE, default=0.15, show_default=True, help="Share for choosing.")
@click.option("--calibrate", type=SHARE, default=0.1, show_default=True, help="Share for calibrating.")
@click.option("--seed", type=click.IntRange(0), default=2020, show_default=True, help="Another draw.")
@click.option(
    "--block",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Neighbours in number kept together where there is no id.",
)
@click.option("--keep", is_flag=True, help="Leave the splits that the manifest brings as they are.")
@click.option(
    "--no-pixels",
    is_flag=True,
    help="Do not look for duplicates; faster, and files need not be there to read.",
)
@_labels
def split(
    data: Path,
    out: Path,
    by: str,
    test: float,
    tune: float,
    calibrate: float,
    seed: int,
    block: int,
    keep: bool,
    no_pixels: bool,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
) -> None:
    """Divide a data set into train, tune, calibrate and test.

    No patient is divided, and no picture parts from its copies; every source and label is shared out alike.
    The same data and seed give the same splits. Patient ids count within their source; DICOM files bring
    their own. Rows without an id stay with their neighbours in number and with slices that look alike.
    NEW.csv.lock.json locks the test split: it records every time it is measured on.
    """
    if test + tune + calibrate >= 1:
        raise click.UsageError("--test, --tune and --calibrate must leave something to train on")
    with _plain_errors(), _needs_extra("audit"):
        from covidct.apps.splitting import run_split
        from covidct.plan import DataPlan

        plan = DataPlan(positive=positive, negative=negative, block=block, seed=seed)
        shares = {"test": test, "tune": tune, "calibrate": calibrate}
        click.echo(run_split(data, out, plan, by=by, shares=shares, keep=keep, alike=not no_pixels))


@main.command()
@click.argument("recipe", type=FILE)
@click.option(
    "--data",
    required=True,
    type=DATA,
    envvar="COVIDCT_MANIFEST",
    metavar="MANIFEST.csv|FOLDER",
    help="The slices.",
)
@click.option(
    "--out",
    required=True,
    type=FOLDER,
    metavar="DIR",
    help="Where the run is kept; an interrupted one goes on.",
)
@click.option(
    "--pretrained",
    type=FILE,
    envvar="COVIDCT_PRETRAINED",
    metavar="FILE",
    help="ImageNet weights (safetensors); by default downloaded from their maker.",
)
@click.option("--version", "number", default="0.1.0", show_default=True, help="Version of the model.")
@click.option("--notes", type=FILE, metavar="FILE", help="Markdown to put into the model card.")
@click.option(
    "--workers", type=click.IntRange(0, 64), default=0, help="Processes that prepare slices; 0 for none."
)
@click.option(
    "--find-rate", is_flag=True, help="Only search the learning rate of each phase; writes DIR/rates*.png."
)
@click.option(
    "--gate-only", is_flag=True, help="Only train the lung finder and the gate; writes DIR/gate.safetensors."
)
@click.option(
    "--accept",
    default="",
    metavar="REASON",
    help="Go on where the audit of the data fails, for this reason; it goes into the model card.",
)
def train(
    recipe: Path,
    data: Path,
    out: Path,
    pretrained: Path | None,
    number: str,
    notes: Path | None,
    workers: int,
    find_rate: bool,
    gate_only: bool,
    accept: str,
) -> None:
    """Train a model by a RECIPE; makes DIR/bundle.

    The data are audited first (DIR/audit.html); where the audit fails, nothing is trained without --accept.
    """
    with _plain_errors(), _needs_extra("train"):
        from covidct.folders import read_data
        from covidct.train.pretrained import load_pretrained
        from covidct.train.recipe import read_recipe
        from covidct.train.run import Job, search_rates, train, train_gate

        plan = read_recipe(recipe)
        job = Job(
            recipe=plan,
            manifest=read_data(data, plan.data),
            out=out,
            version=number,
            pretrained=load_pretrained(pretrained) if plan.pretrained else None,
            notes=notes.read_text(encoding="utf-8") if notes else "",
            workers=workers,
            accept=accept.strip(),
        )
        if find_rate:
            for line in search_rates(job):
                click.echo(line)
            return
        click.echo(train_gate(job) if gate_only else train(job))
        click.echo(DISCLAIMER, err=True)


@main.command()
@click.argument("bundle", type=FOLDER)
@click.option(
    "--data", required=True, type=FILE, envvar="COVIDCT_MANIFEST", metavar="MANIFEST.csv", help="The slices."
)
@click.option(
    "--split",
    type=click.Choice(["train", "tune", "calibrate", "test", "external", "all"]),
    default="tune",
    show_default=True,
    help="Which slices; rows without a split get the one training gave them, or external.",
)
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this source; may be given again."
)
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
    use_float: bool,
) -> None:
    """Measure a BUNDLE on labelled slices.

    Every figure with its 95 % interval, overall and by source; at each of the bundle's operating points also
    the coverage of its prediction sets, and PPV and NPV by prevalence. DIR gets evaluation.json, scores.csv
    and plots (ROC, calibration, confusion, scores, the worst mistakes with their evidence). Sources that the
    bundle was not trained on are `external`. Where the manifest's test split is locked, the lock records the
    measurement.
    """
    with _plain_errors(), _needs_extra("train"):
        from covidct.apps.evaluating import run_evaluate

        table = run_evaluate(
            bundle,
            data,
            split=split,
            sources=sources,
            out=out,
            prevalences=prevalences,
            precision="float" if use_float else "int8",
        )
        click.echo(table)
        click.echo(f"Report and plots are in {out}.", err=True)
        click.echo(DISCLAIMER, err=True)


@main.command()
@click.argument("recipes", nargs=-1, type=FILE, metavar="RECIPE...")
@click.option(
    "--leave-one-source-out",
    is_flag=True,
    required=True,
    help="The protocol: train on all sources but one, test on that one.",
)
@click.option(
    "--data", type=DATA, envvar="COVIDCT_MANIFEST", metavar="MANIFEST.csv|FOLDER", help="The slices."
)
@click.option(
    "--pretrained",
    type=FILE,
    envvar="COVIDCT_PRETRAINED",
    metavar="FILE",
    help="ImageNet weights (safetensors); by default downloaded from their maker.",
)
@click.option(
    "--out", required=True, type=FOLDER, metavar="DIR", help="Where all is kept; a broken-off run goes on."
)
@click.option(
    "--left-out",
    multiple=True,
    metavar="SOURCE",
    help="A source to leave out; may be given again. By default each with ten patients of either label.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Trainings of each recipe, from its own seed upwards.",
)
@click.option(
    "--finder", type=FILE, metavar="FILE", help="A trained lung finder (safetensors) for all trainings."
)
@click.option(
    "--workers", type=click.IntRange(0, 64), default=0, help="Processes that prepare slices; 0 for none."
)
@click.option(
    "--accept", default="", metavar="REASON", help="Go on where an audit fails, for this reason; it is kept."
)
@click.option("--table-only", is_flag=True, help="Train nothing: the table of what DIR holds.")
def benchmark(
    recipes: tuple[Path, ...],
    leave_one_source_out: bool,
    data: Path | None,
    pretrained: Path | None,
    out: Path,
    left_out: tuple[str, ...],
    seeds: int,
    finder: Path | None,
    workers: int,
    accept: str,
    table_only: bool,
) -> None:
    """Train RECIPEs without one source each, and test on it.

    For every source left out, recipe and seed: training, epoch, threshold and temperature know the other
    sources alone; then all labelled slices of the one left out are scored through the exported graph. Beside
    the table stands the shortcut floor of that source. DIR gets benchmark.json, .md and
    .png, and a folder a training. What is done is not done again.
    """
    if not table_only and data is None:
        raise click.UsageError("--data is needed to train; or add --table-only")
    with _plain_errors(), _needs_extra("train"):
        from covidct.apps.benchmarking import run_trials, write_standings

        if data is not None and not table_only:
            run_trials(
                recipes,
                data,
                out,
                left_out=left_out,
                seeds=seeds,
                pretrained=pretrained,
                finder=finder,
                workers=workers,
                accept=accept.strip(),
            )
        click.echo(write_standings(out))
        click.echo(DISCLAIMER, err=True)


@main.command()
@click.argument("bundle", type=FOLDER)
@click.option("--benchmark", type=FILE, metavar="FILE", help="The benchmark.json of covidct benchmark.")
@click.option("--examination", type=FILE, metavar="FILE", help="The examination.json of covidct examine.")
@click.option(
    "--notes", type=FILE, metavar="FILE", help="Markdown in place of the notes it was trained with."
)
@click.option("--failures", type=OUT, metavar="FILE", help="Draw its failures on synthetic slices, as PNG.")
def card(
    bundle: Path, benchmark: Path | None, examination: Path | None, notes: Path | None, failures: Path | None
) -> None:
    """Make the model card of a BUNDLE again.

    From what the bundle records of its training, and what was measured since. Replaces its README.md and
    SHA256SUMS, nothing else; what is not given is said to be open.
    """
    with _plain_errors(), _needs_extra("train"):
        from covidct.apps.carding import rewrite_card

        rewrite_card(bundle, benchmark=benchmark, examination=examination, notes=notes, failures=failures)
        click.echo(bundle / "README.md")


@main.command()
@click.argument("bundle", type=FOLDER)
@click.option(
    "--data",
    required=True,
    type=FILE,
    envvar="COVIDCT_MANIFEST",
    metavar="MANIFEST.csv",
    help="The pictures.",
)
@click.option("--json", "document", type=OUT, metavar="FILE", help="Write every figure as JSON too.")
@GRAPH
def gate(bundle: Path, data: Path, document: Path | None, use_float: bool) -> None:
    """Measure what a BUNDLE refuses, by pixels alone.

    DICOM headers are not asked. For each source: how many pictures are refused and why, with exact 95 %
    intervals. Sources of real slices count those with lung in view, which is where their own mask, or else
    the model's finder, sees 2 % of the picture as lung. Rows without a split may have taught the gate.
    """
    with _plain_errors(), _needs_extra("train"):
        from covidct.apps.gating import run_gate

        click.echo(run_gate(bundle, data, document=document, precision="float" if use_float else "int8"))


@main.command()
@click.argument("bundle", type=FOLDER)
@click.option(
    "--data", required=True, type=FILE, envvar="COVIDCT_MANIFEST", metavar="MANIFEST.csv", help="The slices."
)
@click.option(
    "--split",
    type=click.Choice(["train", "tune", "calibrate", "test", "external", "all"]),
    default="tune",
    show_default=True,
    help="Which labelled slices; rows without a split get the one training gave them, or external.",
)
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this source; may be given again."
)
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="Where the report is written.")
@GRAPH
def examine(
    bundle: Path, data: Path, split: str, sources: tuple[str, ...], out: Path, use_float: bool
) -> None:
    """Ask what a BUNDLE's answers rest on, and how steady they are.

    Whether its evidence points at lesions (slices with masks beside them), and no longer when its weights are
    shuffled; what it still tells when the lungs are blacked out; how far its answers move when a slice is
    shown in another way. DIR gets examination.json and pictures. Phantoms are examined beside, and so are
    rows without a label where no label is needed.
    """
    with _plain_errors(), _needs_extra("train"):
        from covidct.apps.examining import run_examine

        table = run_examine(
            bundle,
            data,
            split=split,
            sources=sources,
            out=out,
            precision="float" if use_float else "int8",
        )
        click.echo(table)
        click.echo(f"Report and pictures are in {out}.", err=True)
        click.echo(DISCLAIMER, err=True)


@main.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; any but this machine's own needs --token or --no-auth.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one."
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name by which browsers may call this server; may be given again.",
)
@click.option(
    "--token",
    envvar="COVIDCT_TOKEN",
    metavar="TOKEN",
    help="What every caller must show, 16 characters or more; `auto` makes one. Better in COVIDCT_TOKEN.",
)
@click.option("--no-auth", is_flag=True, help="Let in everybody who reaches the address.")
@click.option(
    "--upload-mb",
    type=click.IntRange(1, 4096),
    default=512,
    show_default=True,
    metavar="MIB",
    help="The most that one upload may have; it is held in memory.",
)
@click.option("--certificate", type=FILE, metavar="FILE", help="A TLS certificate (PEM): serve https.")
@click.option("--key", type=FILE, metavar="FILE", help="The certificate's key (PEM).")
@MODEL
@GRAPH
@click.option(
    "--operating-point",
    metavar="NAME",
    help="The one for who asks for none, as `covidct info` names them; by default the model's first.",
)
@THREADS
def serve(
    host: str,
    port: int,
    names: tuple[str, ...],
    token: str | None,
    no_auth: bool,
    upload_mb: int,
    certificate: Path | None,
    key: Path | None,
    model: Path | None,
    use_float: bool,
    operating_point: str | None,
    threads: int | None,
) -> None:
    """Serve a page and an API that classify what is uploaded.

    For this machine alone, unless --host says otherwise. What is uploaded stays in memory; nothing of it is
    written to a disk or a log. SIGTERM or Ctrl-C finish what was begun; the second stops at once.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    if token is not None and no_auth:
        raise click.UsageError("--token and --no-auth exclude each other")
    with _plain_errors(), _needs_extra("serve"):
        from covidct.apps.serving import run_serve

        run_serve(
            host=host,
            port=port,
            names=names,
            token=token,
            no_auth=no_auth,
            upload_mb=upload_mb,
            certificate=certificate,
            key=key,
            model=model,
            precision="float" if use_float else "int8",
            operating_point=operating_point,
            threads=threads,
        )


@main.command("web-app")
@click.argument("out", type=FOLDER)
@MODEL
@click.option(
    "--vendor",
    "vendored",
    type=FOLDER,
    metavar="DIR",
    help="Where scripts/vendor put the page's libraries; by default beside the page.",
)
def web_app(out: Path, model: Path | None, vendored: Path | None) -> None:
    """Write a page that runs the model inside the browser.

    OUT is a static folder for any web server: no image leaves the device that shows it, and after the first
    visit it needs no network. Browsers keep it from https addresses and from the same computer only.
    """
    from covidct.apps.web_app import write_web_app

    with _plain_errors():
        size = write_web_app(out, model=model, vendored=vendored)
        click.echo(
            f"{out}: {size / 1e6:.1f} MB. To see it: "
            f"python -m http.server --bind 127.0.0.1 --directory {out} 8001"
        )
        click.echo(DISCLAIMER, err=True)


@main.command()
@click.option("--peer", required=True, metavar="AET@HOST:PORT", help="Where reports are sent: the PACS.")
@click.option(
    "--ae-title", default="COVIDCT", show_default=True, metavar="AET", help="What the node is called."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=11112, show_default=True, help="Where it listens."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="On which address. Others than this machine's own also need --allow.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="AET[@ADDRESS]",
    help="Who may send: an AE title, an address or network (@10.1.0.0/16) or both; may be given again.",
)
@click.option(
    "--spool", type=FOLDER, metavar="DIR", help="Where it keeps its work; by default in ~/.local/state."
)
@click.option(
    "--settle",
    type=click.FloatRange(0, 3600),
    default=3.0,
    show_default=True,
    help="Seconds from the last instance until a series is read, once its sender has taken leave.",
)
@click.option(
    "--quiet",
    type=click.FloatRange(0, 86400),
    default=60.0,
    show_default=True,
    help="The same where the association stays open or was broken off.",
)
@click.option(
    "--reserve",
    type=click.IntRange(0),
    default=256,
    show_default=True,
    metavar="MB",
    help="Disk space left free; below it nothing more is taken.",
)
@click.option(
    "--no-picture", is_flag=True, help="Send the structured report alone, without a Secondary Capture."
)
@click.option("--seg", is_flag=True, help="Also send where the evidence lies, as a DICOM Segmentation.")
@click.option("--once", is_flag=True, help="End when all that was sent is answered and delivered.")
@click.option("--tls-cert", type=FILE, metavar="PEM", help="Listen with TLS; the own certificate.")
@click.option("--tls-key", type=FILE, metavar="PEM", help="Its key.")
@click.option(
    "--tls-ca", type=FILE, metavar="PEM", help="Whose certificates are believed; callers then need one too."
)
@click.option("--peer-tls", is_flag=True, help="Send reports with TLS.")
@MODEL
@GRAPH
@click.option("--operating-point", metavar="NAME", help="One of the model's; by default its first.")
@THREADS
def node(**options: Any) -> None:
    """Run a DICOM node beside a PACS.

    Takes CT series by C-STORE, answers for each one, and sends the answer back by C-STORE: a structured
    report and a picture, in the same study. An instance is acknowledged once it is safe on disk; after a
    crash the node goes on where it was. Ends on Ctrl-C or SIGTERM.

    Its log, on standard error, names no patient. counters.json in the spool counts what it did.
    Exit code: 0; with --once 1 where anything was refused or could not be answered or delivered; 2 when it
    could not start.
    """
    with _plain_errors(), _needs_extra("pacs"):
        from covidct.apps.node_command import Given, run_node
        from covidct.apps.node_peer import Tls

        tls = Tls(options.pop("tls_cert"), options.pop("tls_key"), options.pop("tls_ca"))
        given = Given(
            title=options.pop("ae_title"),
            picture=not options.pop("no_picture"),
            segmentation=options.pop("seg"),
            tls=tls,
            precision="float" if options.pop("use_float") else "int8",
            **options,
        )
        sys.exit(run_node(given))


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors that end a command are told in one line, with code 2; 1 is for slices that were not read."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader has seen enough (`| head`): click ends quietly
    except (CovidctError, OSError) as error:
        raise _Failure(str(error)) from error


class _Failure(click.ClickException):
    """An error that ends a command."""

    exit_code = 2


@contextmanager
def _needs_extra(extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "covidct":
            raise
        raise _Failure(f"{error.name} is missing: {MISSING.format(sys.executable, extra)}") from error
