"""Training of the gate: a small head on what the trained lung finder sees, and the limits it is used at.

Knows losses and limits. The finder stays as it is; its features of many views are computed once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from covidct.data.manifest import Row
from covidct.data.recipe import Gating
from covidct.errors import PretrainedError
from covidct.images.files import write_beside
from covidct.inference.gate import to_odds
from covidct.training.gate.examples import IN_VIEW, Exhibits, draw_views, read_exhibits
from covidct.training.networks.gate_head import CLASSES, GateHead, describe
from covidct.training.networks.lung_finder import LungFinder
from covidct.types import GateLimits

GATE = "gate.safetensors"
BATCH, EPOCHS, RATE, DECAY, SMOOTHING = 256, 16, 2e-3, 0.05, 0.03
REFUSED = 0.005  # of the slices with lung in view, at most
STRICTEST = 0.0  # log-odds: what is more likely a chest than not is never refused
MIN_LUNG = 0.015  # share of the picture; a slice through an apex or base has less


@dataclass(frozen=True)
class Described:
    """Views as the head sees them: descriptions (N, D), classes (N,), exhibits (N,), -1 for made ones."""

    descriptions: Tensor
    labels: Tensor
    exhibits: NDArray[np.int64]


def fit_gate(
    chests: Sequence[Row], others: Sequence[Row], gating: Gating, *, finder: LungFinder, out: Path, seed: int
) -> GateHead:
    """Train on chests and on what the plan knows of the other rows; writes `gate.safetensors` under `out`."""
    exhibits = read_exhibits(chests, others, gating, finder)
    gate = fit_head(describe_views(exhibits, finder, count=gating.views, seed=seed), seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    save_gate(gate, out / GATE)
    return load_gate(out / GATE)


def describe_views(exhibits: Exhibits, finder: LungFinder, *, count: int, seed: int) -> Described:
    """What the finder sees in `count` random views."""
    descriptions, labels, numbers = [], [], []
    views = draw_views(exhibits, count=count, seed=seed)
    with click.progressbar(length=count, label="gate".ljust(24), file=sys.stderr) as bar:
        while batch := list(islice(views, 64)):
            descriptions.append(describe_pictures(finder, np.stack([view.pixels for view in batch])))
            labels += [view.label for view in batch]
            numbers += [view.exhibit for view in batch]
            bar.update(len(batch))
    return Described(torch.cat(descriptions), torch.tensor(labels), np.array(numbers))


def describe_pictures(finder: LungFinder, pixels: NDArray[np.uint8]) -> Tensor:
    """(N, H, W) uint8, display -> descriptions (N, D)."""
    with torch.inference_mode():
        logits, features = finder.look(torch.from_numpy(pixels))
        return describe(features, torch.sigmoid(logits)).clone()


def fit_head(described: Described, *, seed: int, without: Sequence[int] = ()) -> GateHead:
    """A head trained on all views but those of the exhibits `without`."""
    torch.manual_seed(seed)
    kept = torch.from_numpy(~np.isin(described.exhibits, np.asarray(without, np.int64)))
    x, y = described.descriptions[kept].clone(), described.labels[kept]
    gate = GateHead()
    gate.mean.copy_(x.mean(0))
    gate.scale.copy_(1 / x.std(0).clamp_min(1e-3))
    steps = EPOCHS * (len(x) // BATCH + 1)
    optimiser = AdamW(gate.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = OneCycleLR(optimiser, max_lr=RATE, total_steps=steps + 1)
    for _ in range(steps):
        drawn = torch.randint(len(x), (min(BATCH, len(x)),))
        loss = functional.cross_entropy(gate.classify(x[drawn]), y[drawn], label_smoothing=SMOOTHING)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return gate.eval()


def choose_limits(logits: NDArray[np.float32], lungs: NDArray[np.float32]) -> GateLimits:
    """Limits that let real chest slices through: logits (N, K), shares of lung (N,).

    Of those with lung in view at most 0.5 % are refused. What is out of distribution has no say: another kind
    of it would ask for other limits.
    """
    odds = np.sort([to_odds(row) for row in logits[lungs >= IN_VIEW]])
    # The next lower float keeps the slice itself in.
    let_in = np.nextafter(odds[int(REFUSED * odds.size)], -np.inf) if odds.size else STRICTEST
    return GateLimits(CLASSES, min(STRICTEST, float(let_in)), MIN_LUNG)


def save_gate(gate: GateHead, path: Path) -> None:
    """Write the weights, under another name, then renamed."""
    state = {key: value.contiguous() for key, value in gate.state_dict().items()}
    write_beside(path, lambda partial: partial.write_bytes(save(state)))


def load_gate(path: Path) -> GateHead:
    """A trained gate in eval mode. Raises PretrainedError for any other file."""
    gate = GateHead()
    try:
        gate.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise PretrainedError(f"{path}: holds no gate: {error}") from error
    return gate.eval()
