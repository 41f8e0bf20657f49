"""The lung finder: a small U-Net on MobileNetV2's first blocks, on a 96 x 96 copy of the slice.

Finds the lungs in a slice. Knows nothing of disease. Small beside the classifier: down to cells of 16 pixels
in few blocks, up by separable convolutions, and the last doubling is a matter of channels.

Sources: Ronneberger et al., "U-Net" (MICCAI 2015), with the encoder of Sandler et al. (CVPR 2018); Shi et al.
(CVPR 2016), "Real-Time Single Image and Video Super-Resolution", for channels laid out as finer cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.training.networks.mobilenet import ConvNormActivation, Standardise, mobilenet_features

SIDE = 96  # of the copy that is looked at
CELLS = 48  # of the mask
DEPTH = 11  # blocks of MobileNetV2, down to cells of 16 pixels
SPARED = (3, 6)  # of these: the last of their sides, which only refine and take a fifth of the time
# What is kept of the encoder: after these blocks, so many channels at a half, a quarter, an eighth.
SKIPS = ((1, 16), (2, 24), (5, 32))
DEEPEST = 64
RISES = (48, 32)  # channels on the way up: at an eighth, at a quarter


class Rise(nn.Module):
    """Doubles the sides, takes a skip in, and mixes both."""

    def __init__(self, inputs: int, skip: int, outputs: int):
        super().__init__()
        both = inputs + skip
        self.mix = nn.Sequential(
            ConvNormActivation(both, both, 3, groups=both), ConvNormActivation(both, outputs, 1)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, C, h, w) and (N, S, 2h, 2w) -> (N, C', 2h, 2w)."""
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        mixed: Tensor = self.mix(torch.cat([x, skip], dim=1))
        return mixed


class LungFinder(nn.Module):
    """Slices -> where the lungs are."""

    def __init__(self) -> None:
        super().__init__()
        self.standardise = Standardise(SIDE)
        blocks = list(mobilenet_features())[:DEPTH]
        # Blocks keep their numbers, which are their names in files of weights.
        self.features = nn.Sequential(
            *(nn.Identity() if number in SPARED else block for number, block in enumerate(blocks))
        )
        channels, rises = DEEPEST, []
        for (_, skip), outputs in zip(reversed(SKIPS), RISES, strict=False):
            rises.append(Rise(channels, skip, outputs))
            channels = outputs
        self.rises = nn.ModuleList(rises)
        self.mask = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.PixelShuffle(2))

    def forward(self, slices: Tensor) -> Tensor:
        """(N, H, W) in [0, 255], display -> lung logits (N, 48, 48) float32."""
        return self.look(slices)[0]

    def look(self, slices: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, with the encoder's features (N, C, h, w), fine to deep."""
        x = self.standardise(slices)
        kept = []
        for number, block in enumerate(self.features):
            x = block(x)
            if number in dict(SKIPS):
                kept.append(x)
        deepest = x
        for rise, skip in zip(self.rises, reversed(kept), strict=False):
            x = rise(x, skip)
        return self.mask(x).squeeze(1), [*kept, deepest]
