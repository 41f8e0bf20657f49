"""The gate's head: what the picture shows, from the features of the lung finder.

Reads the finder's features, so it costs next to nothing. Linear layers only: eight bits pass them by.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.training.networks.lung_finder import DEEPEST, SKIPS
from covidct.types import Reason

# The first is what may be answered for; each other one says why not.
CHEST = "chest"
CLASSES: tuple[str, ...] = (CHEST, *(Reason.NOT_CT, Reason.RADIOGRAPH, Reason.NOT_CHEST, Reason.NOT_AXIAL))
PLACES = 3  # cells across, in which the deepest features are told apart by place
OUTLINE = 6  # cells across, of the lung mask
HIDDEN = 24  # in float, these weights are a tenth of a megabyte, and the int8 file has little to spare
DESCRIBED = DEEPEST * (PLACES**2 + 1) + 2 * sum(channels for _, channels in SKIPS) + OUTLINE**2


class GateHead(nn.Module):
    """What a finder sees -> logits of what the picture is.

    `mean` and `scale` bring the description to about N(0, 1); training sets them.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, dropout: float = 0.3):
        super().__init__()
        self.register_buffer("mean", torch.zeros(DESCRIBED))
        self.register_buffer("scale", torch.ones(DESCRIBED))
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(DESCRIBED, HIDDEN)
        self.last = nn.Linear(HIDDEN, len(CLASSES))

    def forward(self, kept: Sequence[Tensor], lungs: Tensor) -> Tensor:
        """The finder's features and its shares of lung (N, h, w), as `describe` -> logits (N, K)."""
        return self.classify(describe(kept, lungs))

    def classify(self, described: Tensor) -> Tensor:
        """(N, D) -> (N, K)."""
        # Strange pictures lie far out: no single number that training never reached may decide alone.
        x = ((described - self.mean) * self.scale).clamp(-6, 6)
        logits: Tensor = self.last(functional.relu(self.hidden(self.dropout(x))))
        return logits


def describe(kept: Sequence[Tensor], lungs: Tensor) -> Tensor:
    """Feature maps (N, C, h, w), fine to deep, and lungs (N, h, w) -> (N, D).

    The deepest maps by place and at their highest, mean and spread of the finer ones, and the lungs' outline.
    """
    *finer, deepest = kept
    parts = [functional.avg_pool2d(deepest, deepest.shape[-1] // PLACES).flatten(1), deepest.amax((2, 3))]
    for maps in finer:
        mean = maps.mean((2, 3))
        spread = (maps.square().mean((2, 3)) - mean.square()).clamp_min(0).sqrt()
        parts += [mean, spread]
    outline = functional.avg_pool2d(lungs[:, None], lungs.shape[-1] // OUTLINE)
    return torch.cat([*parts, outline.flatten(1)], dim=1)
