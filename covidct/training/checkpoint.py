"""The state of a training run between two epochs, on disk: what an interrupted run goes on from.

Checkpoints are working files of one machine and are read without executing anything in them
(`weights_only`); what ships is safetensors and ONNX.
"""

from __future__ import annotations

import csv
import errno
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from safetensors.torch import load_file, save
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from covidct.data.recipe import Recipe, is_same
from covidct.errors import RecipeError, TrainingError
from covidct.evaluation.plots import plot_history
from covidct.images.files import hold_lock, write_beside
from covidct.images.library_errors import damage_as
from covidct.training.networks.build import Network

CHECKPOINT, BEST, METRICS, CURVES = "checkpoint.pt", "best.safetensors", "metrics.csv", "curves.png"

DRAWING = 15  # seconds: an epoch that takes less is not worth the second that its curves take


@dataclass
class Progress:
    """How far a run has come. `done` counts epochs of the phase, `epoch` those of the run."""

    phase: int = 0
    done: int = 0
    epoch: int = 0
    best_score: float = -math.inf
    best_loss: float = math.inf
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def is_stale(self, patience: int) -> bool:
        """Whether the phase has gone on for `patience` epochs without a better one."""
        return min(self.epoch - self.best_epoch, self.done) >= patience


@dataclass
class Run:
    """The networks of a run (trained and averaged), its progress, and what it adds to each source's logits.

    `offsets` (S,) float32 are there for training alone: what ships knows no sources.
    """

    network: Network
    average: AveragedModel
    progress: Progress
    offsets: nn.Parameter


@contextmanager
def own_folder(out: Path) -> Iterator[None]:
    """Make the folder of a run, and keep other processes' runs out. Raises TrainingError where one is there.

    The lock ends with the process, however that ends. On Windows, and on shares without locks, there is none.
    """
    out.mkdir(parents=True, exist_ok=True)
    busy = TrainingError(
        f"{out}: another training is at work in this folder; wait until it ends, or choose another --out"
    )
    with hold_lock(out, busy=busy):
        yield


def keep_epoch(
    run: Run,
    record: dict[str, Any],
    recipe: Recipe,
    *,
    optimiser: AdamW,
    schedule: LRScheduler,
    out: Path | None,
) -> None:
    """Write all that the next epoch needs. The checkpoint comes last, as it vouches for the rest.

    Without `out`, where another process writes, the progress is only noted.
    """
    progress = run.progress
    progress.history.append(record)
    progress.epoch += 1
    progress.done += 1
    # Small tune splits tie at 1.0 early; the loss then tells which epoch is the surer one.
    score = progress.epoch if recipe.choose == "last" else record[f"tune_{recipe.choose}"]
    is_best = (score, -record["tune_loss"]) > (progress.best_score, -progress.best_loss)
    if is_best:
        progress.best_score, progress.best_loss = score, record["tune_loss"]
        progress.best_epoch = progress.epoch
    if out is None:
        return
    if is_best:
        keep_weights(run.average.module, out / BEST)
    write_beside(out / METRICS, lambda path: _write_history(progress.history, path))
    if record.get("seconds", 0.0) > DRAWING:
        draw_curves(progress, recipe, out)
    checkpoint = {
        "recipe": json.dumps(asdict(recipe), sort_keys=True),
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "offsets": run.offsets.detach(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "progress": asdict(progress),
    }
    # In memory first: of a full disk torch itself says no more than "unexpected pos".
    buffer = BytesIO()
    torch.save(checkpoint, buffer)
    write_beside(out / CHECKPOINT, lambda path: path.write_bytes(buffer.getbuffer()))


def draw_curves(progress: Progress, recipe: Recipe, out: Path) -> None:
    """Draw the curves so far; of short epochs only where a phase ends."""
    plot_history(progress.history, out / CURVES, recipe.choose)


def resume_run(run: Run, recipe: Recipe, out: Path) -> dict[str, Any]:
    """Load the checkpoint under `out` into `run`; {} where there is none.

    Raises RecipeError when the checkpoint is another recipe's, TrainingError when it is damaged.
    """
    path = out / CHECKPOINT
    if not path.is_file():
        return {}
    saved = _read_checkpoint(path)
    with damage_as(lambda cause: TrainingError(_to_damage(path, cause))):
        if not is_same(json.loads(saved["recipe"]), recipe):
            raise RecipeError(f"{out}: holds a run of another recipe; choose another --out, or remove it")
        run.network.load_state_dict(saved["network"])
        run.average.load_state_dict(saved["average"])
        run.offsets.data.copy_(saved["offsets"])
        run.progress = Progress(**saved["progress"])
    return saved


def _read_checkpoint(path: Path) -> dict[str, Any]:
    with damage_as(lambda cause: TrainingError(_to_damage(path, cause))):
        # By its checksums, which torch does not look at: a changed weight would go unnoticed.
        with ZipFile(path) as archive:
            if changed := archive.testzip():
                raise TrainingError(_to_damage(path, f"{changed} was changed"))
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return saved


def keep_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network as safetensors."""
    state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    write_beside(path, lambda partial: partial.write_bytes(save(state)))


def load_weights(network: Network, path: Path) -> None:
    """Load weights that were kept. Raises TrainingError for damage, MemoryError for want of memory."""
    try:
        with damage_as(lambda cause: TrainingError(_to_damage(path, cause))):
            network.load_state_dict(load_file(path))
    except TrainingError as error:
        if os.strerror(errno.ENOMEM) in str(error):  # torch could not map the file, which is whole
            raise MemoryError from error
        raise


def _to_damage(path: Path, cause: str) -> str:
    return f"{path}: is damaged ({cause}); restore a copy of it, or remove {path.parent} and train again"


def _write_history(history: Sequence[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
