"""The commands that are disturbed, each on phantoms, and what they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from bundles import write_tiny_bundle
from faults.control import Change
from figures.hospitals import write_home_bundle, write_hospital
from stacks import STUDY, save, stack, volume
from training import write_phantoms

RECIPE = """
name = "tiny"
network = "{network}"
pretrained = false
size = {size}
batch = 8
{more}

[data]
tune = 0.3
calibrate = 0.2

[augment]
pastes = 0

[[phases]]
name = "first"
epochs = 1
rate = 1e-3

[[phases]]
name = "second"
epochs = 1
rate = 1e-3
"""


@dataclass(frozen=True)
class Scenario:
    """A command: its arguments, made from its inputs and the folder that it writes below.

    `answers` is where its standard output goes, relative to that folder, where that is a result. `stages`
    are the files at which it is disturbed, in the order in which they are written, `modules` what it imports.
    (None of them may start threads then: they would not survive a fork.)
    """

    name: str
    prepare: Callable[[Path], None]
    to_arguments: Callable[[Path, Path], Sequence[str | Path]]
    answers: str = ""
    stages: Sequence[str] = ()
    modules: Sequence[str] = ()

    def choose(self, found: Mapping[str, Change]) -> dict[str, Change]:
        """Those of the stages that are disturbed: with `stages` only what is called so."""
        wanted = self.stages or list(found)
        fits = {name: next((one for one in found if fnmatch(one, name)), "") for name in wanted}
        return {name: found[one] for name, one in fits.items() if one}


def prepare_series(inputs: Path) -> None:
    """A tiny bundle and a series of six slices."""
    write_tiny_bundle(inputs / "bundle")
    save(inputs / "series", stack(volume(4, lesions=(2,)), PatientID="P1", FrameOfReferenceUID=f"{STUDY}.9"))


def prepare_archive(inputs: Path) -> None:
    """A tiny bundle and three studies."""
    write_tiny_bundle(inputs / "bundle")
    for number in range(3):
        uid = f"1.2.826.0.1.3680043.8.498.{100 + number}"
        datasets = stack(volume(4), series=f"{uid}.1", StudyInstanceUID=uid, PatientID=f"P{number}")
        save(inputs / "in" / str(number), datasets)


def prepare_training(inputs: Path) -> None:
    """Labelled slices, and recipes that take seconds."""
    (inputs / "slices").mkdir()
    write_phantoms(inputs / "slices", patients=8)
    (inputs / "tiny.toml").write_text(RECIPE.format(network="six_layers", size=64, more=""))


def prepare_hospital(inputs: Path) -> None:
    """A hospital's labelled slices, and a bundle that was made elsewhere."""
    write_home_bundle(inputs / "bundle")
    write_hospital(inputs / "hospital")


SCENARIOS = (
    Scenario(
        "predict",
        prepare_series,
        lambda inputs, root: [
            *("predict", inputs / "series", "--model", inputs / "bundle", "--threads", "1"),
            *("--heatmaps", root / "maps", "--report", root / "report.html"),
            *("--sr", root / "sr.dcm", "--sc", root / "sc.dcm", "--seg", root / "seg.dcm"),
        ],
        answers="answers.jsonl",
        stages=("maps/*.heatmap.png", "answers.jsonl", "report.html", "sr.dcm"),
        modules=("covidct.apps.cli.commands.predict_report", "covidct.results.dicom.files"),
    ),
    Scenario(
        "split",
        prepare_training,
        lambda inputs, root: [
            *("split", inputs / "slices" / "manifest.csv", "--out", root / "split.csv"),
        ],
        answers="table.txt",
        modules=("covidct.apps.cli.commands.split",),
    ),
    Scenario(
        "train",
        prepare_training,
        lambda inputs, root: [
            *("train", inputs / "slices" / "manifest.csv", "--recipe", inputs / "tiny.toml"),
            *("--out", root / "run", "--accept", "phantoms", "--threads", "1"),
        ],
        stages=(
            "run/manifest.csv",
            "run/audit.json",
            "run/checkpoint.pt",
            "run/bundle.partial/model.int*.onnx",
            "run/bundle.partial/config.json",
            "run/evaluation/evaluation.json",
            "run/bundle",
            "run/report.html",
        ),
        modules=("covidct.apps.cli.commands.train", "torch.onnx", "onnxruntime.quantization"),
    ),
    Scenario(
        "calibrate",
        prepare_hospital,
        lambda inputs, root: [
            *("calibrate", inputs / "bundle", "--data", inputs / "hospital" / "manifest.csv"),
            *("--out", root / "site", "--site", "ward"),
        ],
        stages=("bundle/config.json", "bundle/SHA*SUMS", "site"),
        modules=("covidct.apps.cli.commands.calibrate",),
    ),
    Scenario(
        "evaluate",
        prepare_hospital,
        lambda inputs, root: [
            *("evaluate", inputs / "bundle", "--data", inputs / "hospital" / "manifest.csv"),
            *("--split", "all", "--out", root / "figures"),
        ],
        stages=("figures/evaluation.json", "figures/scores.csv", "figures/*.png"),
        modules=("covidct.apps.cli.commands.evaluate",),
    ),
    Scenario(
        "augment",
        prepare_training,
        lambda inputs, root: [
            *("augment", inputs / "slices" / "manifest.csv", "--to", "80", "--out", root / "more"),
        ],
        stages=("more/*.png", "more/manifest.csv"),
        modules=("covidct.apps.cli.commands.augment",),
    ),
    Scenario(
        "archive",
        prepare_archive,
        lambda inputs, root: [
            *("archive", inputs / "in", "--model", inputs / "bundle", "--threads", "1"),
            *("--out", root / "table"),
        ],
        stages=("table/archive.json", "table/index/*.parquet", "table/results/*.parquet"),
        modules=("covidct.apps.archive.run",),
    ),
)
COMMANDS = {scenario.name: scenario for scenario in SCENARIOS}
