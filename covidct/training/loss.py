"""What a batch costs: the label of every slice, and of those with drawn lesions, every cell.

Knows losses. Knows nothing of rates or of when to stop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.data.recipe import Recipe
from covidct.training.machine.precision import autocast
from covidct.training.networks.lung_crop import crop
from covidct.training.networks.lung_net import Look, LungNet
from covidct.training.slices import Batch

FILLED = 3.0  # a cell is diseased in full when a third of it is
FINER = 4  # samples of the mask across a cell


def compute_loss(
    network: nn.Module, batch: Batch, recipe: Recipe, *, offsets: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy on smoothed labels, and for a `LungNet` what `compute_cell_loss` adds.

    The label of a slice without drawn lesions counts as much as the recipe's `weak`. `offsets` (S,) are
    added to the logits, to each its source's.
    """
    device = next(network.parameters()).device
    batch = Batch(*(part.to(device) for part in batch))
    with autocast(recipe.precision, device):
        seen = network.look(batch.slices) if isinstance(network, LungNet) else network(batch.slices)
    target = batch.labels * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    logits = (choose_taught(seen, batch) if isinstance(seen, Look) else seen[0]).float()
    if offsets is not None:
        logits = logits + offsets[batch.sources]
    costs = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    loss = (costs * torch.where(batch.drawn, 1.0, recipe.weak)).mean()
    if isinstance(seen, Look):
        loss = loss + compute_cell_loss(seen, batch, recipe)
    return loss


def choose_taught(seen: Look, batch: Batch) -> Tensor:
    """Each slice's logit with its own context (N,): the last where its source is apart, else the first."""
    first, last = seen.taught[:, 0], seen.taught[:, -1]
    return torch.where(batch.apart, last, first)


def compute_cell_loss(seen: Look, batch: Batch, recipe: Recipe) -> Tensor:
    """Cross-entropy of the cells inside the lungs with the lesions drawn into them.

    Weighted by the recipe's `lesions`; where none were drawn, a negative slice is held to have none, weighted
    by its `calm`, and a positive one says nothing of its cells.
    """
    side = seen.cells.shape[1]
    masks = crop(batch.lesions[:, None] / 255.0, seen.box, size=FINER * side)
    wanted = (FILLED * functional.avg_pool2d(masks, FINER)[:, 0]).clamp(0, 1)
    costs = functional.binary_cross_entropy_with_logits(seen.cells.float(), wanted, reduction="none")
    mean = (costs * seen.lungs).mean((1, 2)) / seen.lungs.mean((1, 2))
    calm = recipe.calm * (1 - batch.labels) * ~batch.drawn
    return (mean * (recipe.lesions * batch.drawn + calm)).mean()
