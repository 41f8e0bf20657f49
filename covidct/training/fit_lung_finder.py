"""Training of the lung finder: a few hundred slices with lung masks, each seen a hundred ways.

Knows losses and schedules. Knows nothing of labels: no class can teach it what it finds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.numpy_helper import to_array
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from covidct.data.manifest import Row
from covidct.data.masks import Mask, find_mask, has_mask, read_mask
from covidct.data.pixels import read_pixels
from covidct.data.recipe import Augmentation
from covidct.errors import ManifestError, PretrainedError
from covidct.images.files import write_beside
from covidct.training.augment import draw_placement, render, resample
from covidct.training.networks.lung_finder import CELLS, SIDE, LungFinder
from covidct.training.pretrained import Pretrained, apply_pretrained
from covidct.training.slices import to_square
from covidct.types import Pixels

FINDER = "finder.safetensors"
FIRST, GREYS = "features.0.0.weight", 3  # the first convolution, and its channels
INSIDE = "crop.finder."  # where it is in a network that crops to the lungs, and in the graph made of it
# Kept larger than what is looked at: zooming in must find detail, not blur.
KEPT = 160
BATCH, RATE, SMALLER = 32, 3e-3, 0.2
AVERAGED = 0.25  # of the steps, the last ones
# Far beyond what a classifier is shown: a full field with its table, a figure cropped to one lung.
VARIETY = Augmentation(
    rotation=20,
    scale=(0.5, 1.9),
    aspect=0.35,
    shift=0.14,
    window=0.35,
    gamma=0.7,
    field_of_view=0.25,
    resolution=0.4,
    noise=0.3,
    jpeg=0.15,
    marks=0.25,
    boxes=0.3,
)


@dataclass(frozen=True)
class Drawn:
    """Slices and the lungs drawn into them, both (N, 160, 160) uint8."""

    pixels: NDArray[np.uint8]
    lungs: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)


class MaskedViews(Dataset[tuple[Tensor, Tensor]]):
    """Random views of slices with their masks: under one seed, view `n` is always the same."""

    def __init__(self, drawn: Drawn, *, count: int, seed: int):
        self.drawn, self.count, self.seed = drawn, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """(96, 96) uint8, and the share of lung in each of (48, 48) cells, float32."""
        rng = np.random.default_rng((self.seed, number))
        index = int(rng.integers(len(self.drawn)))
        view, lungs = draw_view(self.drawn.pixels[index], self.drawn.lungs[index], rng)
        cells = torch.from_numpy(lungs / 255.0)[None]
        return torch.from_numpy(view), functional.avg_pool2d(cells, SIDE // CELLS)[0]


def draw_view(pixels: Pixels, lungs: Pixels, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.float32]]:
    """One random view (96, 96) of a slice and its mask, both (H, W) uint8."""
    height, width = pixels.shape
    placement = draw_placement((height, width), VARIETY, rng, size=SIDE)
    view = render(resample(pixels, placement, size=SIDE), VARIETY, rng)
    return view, resample(lungs, placement, size=SIDE)


def read_drawn(rows: Sequence[Row]) -> Drawn:
    """Slices that have a lung mask. Raises ManifestError where none of the rows has one."""
    rows = has_mask(rows, Mask.LUNG)
    if not rows:
        raise ManifestError(
            "no slice has a lung mask, and a recipe with a finder needs some: put them into a folder "
            f"{Mask.LUNG}/ beside the folder of the slices, under the same names, or give a trained finder"
        )
    pixels = [to_square(stored, KEPT) for stored in read_pixels(rows, label="slices with lungs")]
    paths = [find_mask(row, Mask.LUNG) for row in rows]
    lungs = [read_mask(path, side=KEPT) for path in paths if path is not None]
    return Drawn(np.stack(pixels), np.stack(lungs))


def fit_finder(
    rows: Sequence[Row], *, out: Path, pretrained: Pretrained | None, seed: int, steps: int, workers: int = 0
) -> LungFinder:
    """Train on the rows that have a lung mask; writes `finder.safetensors` under `out`."""
    drawn = read_drawn(rows)
    torch.manual_seed(seed)
    finder = LungFinder()
    if pretrained is not None:
        apply_pretrained(finder, pretrained)
    rates = [RATE if pretrained is None else RATE * SMALLER, RATE]
    average = _fit_mask(finder, drawn, seed=seed, steps=steps, rates=rates, workers=workers)
    out.mkdir(parents=True, exist_ok=True)
    save_finder(average, out / FINDER)
    return load_finder(out / FINDER)


def _fit_mask(
    finder: LungFinder, drawn: Drawn, *, seed: int, steps: int, rates: list[float], workers: int
) -> LungFinder:
    """The average over the last steps; `rates` are those of encoder and decoder."""
    average = AveragedModel(finder, use_buffers=True)
    encoder = list(finder.features.parameters())
    decoder = [*finder.rises.parameters(), *finder.mask.parameters()]
    optimiser = AdamW([{"params": encoder, "lr": rates[0]}, {"params": decoder, "lr": rates[1]}])
    schedule = OneCycleLR(optimiser, max_lr=rates, total_steps=steps + 1)
    views = MaskedViews(drawn, count=steps * BATCH, seed=seed)
    loader = DataLoader(views, BATCH, num_workers=workers)
    losses: list[float] = []

    def show(_: object) -> str | None:
        return f"loss {np.mean(losses[-100:]):.3f}" if losses else None

    finder.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    with click.progressbar(
        loader, label="lung finder".ljust(24), item_show_func=show, file=sys.stderr
    ) as batches:
        for slices, lungs in batches:
            loss = mask_loss(finder(slices), lungs)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            # The earlier steps only find their way; an average over them would lag behind.
            if len(losses) >= steps * (1 - AVERAGED):
                average.update_parameters(finder)
            losses.append(loss.item())
    finder.load_state_dict(average.module.state_dict())
    return finder.eval()


def mask_loss(logits: Tensor, lungs: Tensor) -> Tensor:
    """Cross-entropy of the cells and one minus Dice, each (N, 48, 48)."""
    found = torch.sigmoid(logits)
    overlap = 2 * (found * lungs).sum((1, 2)) + 1
    dice = overlap / (found.sum((1, 2)) + lungs.sum((1, 2)) + 1)
    return functional.binary_cross_entropy_with_logits(logits, lungs) + (1 - dice).mean()


def save_finder(finder: LungFinder, path: Path) -> None:
    """Write the weights, under another name, then renamed."""
    state = {key: value.contiguous() for key, value in finder.state_dict().items()}
    write_beside(path, lambda partial: partial.write_bytes(save(state)))


def load_finder(path: Path) -> LungFinder:
    """A trained finder in eval mode. Raises PretrainedError for any other file."""
    finder = LungFinder()
    try:
        finder.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise PretrainedError(f"{path}: holds no lung finder: {error}") from error
    return finder.eval()


def read_finder(graph: bytes) -> LungFinder:
    """The finder inside an exported graph, in eval mode. Raises PretrainedError for a graph without one.

    The export folds each normalisation into the convolution before it. What is left of it is a bias, which
    becomes that of a normalisation that changes nothing else.
    """
    initializers = onnx.load_from_string(graph).graph.initializer
    weights = {one.name: torch.from_numpy(to_array(one).copy()) for one in initializers}
    finder = LungFinder()
    state = {name: weights.get(f"{INSIDE}{name}", value) for name, value in finder.state_dict().items()}
    for name, module in finder.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            parent, _, place = name.rpartition(".")
            bias = weights.get(f"{INSIDE}{parent}.{int(place) - 1}.weight_bias")
            if bias is None:
                raise PretrainedError(f"the graph holds no lung finder: {name} is missing")
            state[f"{name}.bias"] = bias
            state[f"{name}.running_var"] = torch.full_like(bias, 1 - module.eps)
    # Its channels are all grey: the export keeps their sum, and each may be a third of it.
    state[FIRST] = state[FIRST].sum(1, keepdim=True).expand(-1, GREYS, -1, -1) / GREYS
    finder.load_state_dict(state)
    return finder.eval()
