"""MobileNetV2 with an evidence map instead of a classifier.

Knows the layers and their names, and what belongs into the exported graph (resizing and
normalisation of the slice). Knows nothing of data, losses or files.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018);
class activation mapping as the decision itself, after Zhou et al. (CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# (expansion, channels, blocks, stride), Table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
FEATURES = 1280
# Mean and deviation of ImageNet's grey levels: the three channels' means, as the slices are grey.
GREY_MEAN, GREY_STD = 0.449, 0.226


class ConvNormActivation(nn.Sequential):
    """Convolution, batch normalisation, ReLU6; 'same' padding for odd kernels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; with a skip where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int):
        super().__init__()
        self.skip = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        expand = [ConvNormActivation(inputs, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            ConvNormActivation(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.skip else y


def mobilenet_features() -> nn.Sequential:
    """The convolutional part of MobileNetV2 1.0, with the usual key layout."""
    blocks: list[nn.Module] = [ConvNormActivation(3, 32, 3, stride=2)]
    channels = 32
    for expansion, outputs, count, stride in STAGES:
        for index in range(count):
            blocks.append(
                InvertedResidual(channels, outputs, stride=stride if index == 0 else 1, expansion=expansion)
            )
            channels = outputs
    blocks.append(ConvNormActivation(channels, FEATURES, 1))
    features = nn.Sequential(*blocks)
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            # Keeps the signal's size through 52 layers, where training starts from nothing (He et al. 2015).
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return features


class Standardise(nn.Module):
    """Any uint8 slice -> the network's input; part of the exported graph.

    The slice is stretched to a square with antialiasing (so that 200 and 1,000 pixels look
    alike), scaled to [0, 1] and normalised like the pretraining's grey levels.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, slices: Tensor) -> Tensor:
        """(N, H, W) uint8, display -> (N, 3, size, size) float32."""
        x = slices.unsqueeze(1).float()
        x = functional.interpolate(
            x, size=(self.size, self.size), mode="bilinear", align_corners=False, antialias=True
        )
        x = (x / 255.0 - GREY_MEAN) / GREY_STD
        return x.expand(-1, 3, -1, -1)


class EvidenceNet(nn.Module):
    """MobileNetV2 whose logit is the mean of its evidence map, plus a bias.

    `forward` gives `logit` (N,) and `map` (N, h, w): `map.mean((1, 2)) + bias == logit`.
    """

    outputs: tuple[str, ...] = ("logit", "map")

    def __init__(self, size: int, *, dropout: float = 0.2):
        super().__init__()
        self.standardise = Standardise(size)
        self.features = mobilenet_features()
        self.dropout = nn.Dropout2d(dropout)
        self.evidence = nn.Conv2d(FEATURES, 1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(1))
        nn.init.normal_(self.evidence.weight, std=0.01)

    def depths(self) -> Sequence[Sequence[nn.Parameter]]:
        """Parameters from the input to the output: three depths of the backbone, then the head."""
        blocks = list(self.features)
        parts = (blocks[:7], blocks[7:14], blocks[14:])
        backbone = [[parameter for block in part for parameter in block.parameters()] for part in parts]
        return [*backbone, [*self.evidence.parameters(), self.bias]]

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W) uint8, display -> logit (N,) float32, map (N, h, w) float32."""
        return self.judge(self.standardise(slices))

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, size, size) float32, standardised -> logit (N,), map (N, h, w)."""
        evidence = self.evidence(self.dropout(self.features(x))).squeeze(1)
        return evidence.mean(dim=(1, 2)) + self.bias, evidence
