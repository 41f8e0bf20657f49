"""The network of two questions: whether there is an opacity, and whether it is typical of COVID-19.

The first travels between hospitals: drawn lesions and lungs known to be clear teach it, cell by cell and
slice by slice. The second is answered from what lies in the opacities. Labels teach both together (`join`):
COVID-19 is an opacity that is typical. So what shows nothing teaches the second question nothing, and a
label that holds for the patient alone can be doubted there. In the answer their log odds add up (`combine`):
the first up to where an opacity is certain, the second as far as one is seen. So lungs that show none are
told apart by nothing else, and lungs full of opacities by their kind alone.

Two parts, so that a training can look at what the first sees once and go over the second many times: `lower`
finds and crops the lungs and runs the backbone's first blocks, which nothing teaches; `weigh` does the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.training.networks.lung_crop import has_lungs
from covidct.training.networks.lung_net import DEPTH, FINE, LungNet, enlarge, spread, to_shares
from covidct.training.networks.mobilenet import FEATURES

STILL = 7  # blocks of the backbone, down to cells of 8 pixels, that stay as pretrained
CELL = 16  # pixels
CERTAIN = 2.0  # log odds of an opacity (7 to 1): where they stop to count further
SHARP = 4.0  # how fast the second answer comes to count once there is an opacity
AIR = 0.02  # what a cell of lung counts for the second question beside its opacity


class Lower(NamedTuple):
    """What no label teaches of N slices.

    `features` (N, C, h, w); `shares` (N, H, W) in [0, 1] of lung on the grid of the evidence, 0 throughout
    where there are no lungs; `box` (N, 4) in [0, 1]. Where there is a gate, `gate` (N, K) and `lung` (N,).
    """

    features: Tensor
    shares: Tensor
    box: Tensor
    gate: Tensor | None = None
    lung: Tensor | None = None


class Opinion(NamedTuple):
    """What the network thinks of N slices; all but the maps (N,).

    `opacity` and `typical` are logits of the two answers, `logit` what they come to; `extent` the share
    of the lungs that is opaque. `evidence` (N, H, W) is of opacity; `cells` (N, h, w), the logit of each cell
    to be opaque, and `lungs` (N, h, w) in [0, 1], what it counts.
    """

    logit: Tensor
    opacity: Tensor
    typical: Tensor
    extent: Tensor
    evidence: Tensor
    cells: Tensor
    lungs: Tensor


class OpacityNet(LungNet):
    """`forward` gives `logit`, `map`, `box`, then `opacity`, `typical`, `extent`; with a gate `gate`, `lung`.

    `map.mean((1, 2)) + bias == opacity`, and `logit == combine(opacity, typical)`.
    """

    def __init__(self, size: int, *, dropout: float = 0.2, masked: bool = True):
        super().__init__(size, dropout=dropout, masked=masked)
        self.outputs = ("logit", "map", "box", "opacity", "typical", "extent")
        self.typical = nn.Conv2d(FEATURES, 1, 1)
        nn.init.normal_(self.typical.weight, std=0.01)
        nn.init.zeros_(self.typical.bias)  # type: ignore[arg-type]

    def depths(self) -> list[list[nn.Parameter]]:
        """Parameters from the input to the output: three depths of the backbone, then the head."""
        *backbone, head = super().depths()
        return [*map(list, backbone), [*head, *self.typical.parameters()]]

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W) uint8, display -> the outputs, in the order of their names; all float32."""
        lower = self.lower(slices)
        seen = self.weigh(lower)
        shown = seen.logit, seen.evidence, lower.box, seen.opacity, seen.typical, seen.extent
        return shown if lower.gate is None or lower.lung is None else (*shown, lower.gate, lower.lung)

    def lower(self, slices: Tensor) -> Lower:
        """(N, H, W) uint8, display -> what no label teaches; in float32 where boxes are at stake."""
        with torch.autocast(slices.device.type, enabled=False):
            x, box, lungs, found = self.crop.look(slices)
            gate = None if self.gate is None else self.gate(found, lungs)
            lung = None if self.gate is None else lungs.mean((1, 2))
            side = FINE * self.crop.size // CELL
            shares = to_shares(lungs, box, side=side) * has_lungs(lungs)[:, None, None]
        return Lower(self.features[:STILL](x), shares, box, gate, lung)

    def weigh(self, lower: Lower) -> Opinion:
        """What to think of what was found."""
        middle = self.features[STILL:DEPTH](lower.features)
        top = self.dropout(self.features[DEPTH:](middle))
        cells = (enlarge(self.evidence(top)) + self.detail(middle)).float()
        lungs = (2 * functional.avg_pool2d(lower.shares[:, None], FINE)).clamp(0, 1)
        # Squared: what is half lung is mostly its edge, where evidence would spill over.
        fine = lower.shares.square()
        weights = (fine / fine.mean((1, 2), keepdim=True).clamp_min(1e-6))[:, None]
        evidence = spread(functional.softplus(cells) * self.gain.exp(), weights).squeeze(1)
        opacity = evidence.mean((1, 2)) + self.bias
        opaque = torch.sigmoid(cells) * lungs
        extent = opaque.sum((1, 2, 3)) / lungs.sum((1, 2, 3)).clamp_min(1)
        typical = self.compare(top, opaque, lungs)
        logit = combine(opacity, typical)
        return Opinion(logit, opacity, typical, extent, evidence, cells.squeeze(1), lungs.squeeze(1))

    def compare(self, top: Tensor, opaque: Tensor, lungs: Tensor) -> Tensor:
        """How typical it looks where it is opaque: (N, 1280, h, w), cells (N, 1, 2h, 2w) -> (N,)."""
        # Where to look is the first question's affair.
        counts = functional.avg_pool2d(opaque.detach() + AIR * lungs, 2)
        said = self.typical(top).float()
        mean: Tensor = (counts * said).sum((1, 2, 3)) / counts.sum((1, 2, 3)).clamp_min(1e-4)
        return mean


def combine(opacity: Tensor, typical: Tensor) -> Tensor:
    """The answer's logit from the logits of both, (N,).

    The first counts until it is certain: more of an opacity says nothing of its kind. The second counts as
    far as an opacity is seen.
    """
    seen = CERTAIN - functional.softplus(CERTAIN - opacity)
    return seen + torch.sigmoid(SHARP * opacity) * typical


def join(opacity: Tensor, typical: Tensor) -> Tensor:
    """The logit of two independent answers both being yes, from the logits of each, (N,)."""
    no = torch.stack([-opacity, -typical, -opacity - typical])
    return -torch.logsumexp(no, 0)
