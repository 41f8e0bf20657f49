"""The six-layer network of the project's beginnings, as it was: from scratch, on unscaled grey levels.

Kept to be compared with, not to be used. Its dense layers know no place, so its evidence map is a single
cell that holds the whole logit: it cannot say where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

FILTERS = (16, 32, 64, 128, 256, 512)
HIDDEN = 128


class Repeat(nn.Module):
    """Any uint8 slice -> three equal channels of unscaled grey levels; part of the exported graph."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, slices: Tensor) -> Tensor:
        """(N, H, W) uint8, display -> (N, 3, size, size) float32 in [0, 255], by the nearest neighbour."""
        # By whole numbers: torch and ONNX Runtime round the places of `interpolate` differently.
        places = torch.arange(self.size, device=slices.device)
        rows, columns = (places * length // self.size for length in slices.shape[1:])
        x = slices.index_select(1, rows).index_select(2, columns)
        return x.unsqueeze(1).float().expand(-1, 3, -1, -1)


class SixLayerNet(nn.Module):
    """Six blocks of convolution, ReLU and pooling; two dense layers; softmax over two classes.

    `forward` gives `logit` (N,) and `map` (N, 1, 1), its one cell being the logit. The logit of a softmax
    over two scores is their difference.
    """

    outputs: ClassVar[tuple[str, ...]] = ("logit", "map")

    def __init__(self, size: int, *, dropout: float = 0.5):
        super().__init__()
        self.standardise = Repeat(size)
        blocks: list[nn.Module] = []
        for inputs, outputs in zip((3, *FILTERS), FILTERS, strict=False):
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)
        side = size // 2 ** len(FILTERS)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(FILTERS[-1] * side * side, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, 2),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # As the original's library did it (Glorot & Bengio 2010).
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def depths(self) -> Sequence[Sequence[nn.Parameter]]:
        """Parameters from the input to the output: the convolutions, then the dense layers."""
        return list(self.features.parameters()), list(self.head.parameters())

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """(N, H, W) uint8, display -> logit (N,) float32, map (N, 1, 1) float32."""
        scores = self.head(self.features(self.standardise(slices)))
        logit = scores[:, 1] - scores[:, 0]
        return logit, logit[:, None, None]
