"""The evidence network that looks at the lungs alone: finder, crop, evidence map, in one graph.

Its evidence counts inside the lungs only: nothing outside them can be held for or against it. It has two
parts. Disease is never negative, cell by cell, and taught by drawn lesions: the logit grows with how much of
the lungs looks diseased. Contexts speak for or against, from what the lungs look like at large, and are laid
out evenly over them. In training one counts in full for each slice, and takes up what tells the labels of its
sources apart and is no lesion; of each, a share is left in the answer. What travels badly gets a context of
its own, and a small share. Source: Clark, Yatskar & Zettlemoyer, "Don't Take the Easy Way Out" (EMNLP 2019),
where what takes up a data set's bias is left out of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.training.networks.gate_head import GateHead
from covidct.training.networks.lung_crop import LungCrop, crop_few, has_lungs
from covidct.training.networks.lung_finder import LungFinder
from covidct.training.networks.mobilenet import FEATURES, EvidenceNet

DEPTH, MIDDLE = 14, 96  # blocks of the backbone down to cells of 16 pixels, and their channels
FINE = 4  # parts of a cell, across, that evidence is laid out on: lungs end inside cells
# To begin with, a few of a hundred cells are taken for diseased, and ten of a hundred tip the balance.
RARE, GAIN, BIAS = -3.0, 10.0, -1.0


class Look(NamedTuple):
    """What the network sees in N slices.

    `logit` (N,); `taught` (N, K), the logit with one of K contexts in full, which labels teach, or (N, 1)
    without any; `evidence` (N, H, W), on a finer grid than that of the cells; `box` (N, 4) in [0, 1]; `cells`
    (N, h, w), the logit of each cell to be diseased; `lungs` (N, h, w) in [0, 1], what a cell counts where
    lesions teach it. Where there is a gate, `gate` (N, K) are logits of what the picture is, and `lung` (N,)
    the share of it that is lung.
    """

    logit: Tensor
    taught: Tensor
    evidence: Tensor
    box: Tensor
    cells: Tensor
    lungs: Tensor
    gate: Tensor | None = None
    lung: Tensor | None = None


class LungNet(EvidenceNet):
    """`forward` gives `logit` (N,), `map` (N, h, w) and `box` (N, 4), the part of the slice it covers.

    `map.mean((1, 2)) + bias == logit`. `contexts` are the shares that count of each context; `masked` as in
    `LungCrop`. The finder inside has fresh weights until `use` hands it trained ones; training does not
    change it. Once `guard` has handed it a gate, `gate` (N, K) and `lung` (N,) come too.
    """

    def __init__(
        self, size: int, *, dropout: float = 0.2, contexts: Sequence[float] = (), masked: bool = False
    ):
        super().__init__(size, dropout=dropout)
        self.outputs: tuple[str, ...] = ("logit", "map", "box")
        self.crop = LungCrop(size, masked=masked)
        self.gate: GateHead | None = None
        self.detail = nn.Conv2d(MIDDLE, 1, 1)
        self.gain = nn.Parameter(torch.tensor(math.log(GAIN)))
        self.shares = tuple(contexts)
        self.context = nn.Conv2d(FEATURES, len(self.shares), 1, bias=False) if self.shares else None
        if self.context is not None:
            nn.init.normal_(self.context.weight, std=0.01)
        nn.init.normal_(self.detail.weight, std=0.01)
        nn.init.constant_(self.detail.bias, RARE)  # type: ignore[arg-type]
        nn.init.constant_(self.bias, BIAS)

    def use(self, finder: LungFinder) -> None:
        """Take over a trained finder's weights."""
        self.crop.finder.load_state_dict(finder.state_dict())

    def guard(self, gate: GateHead) -> None:
        """Add a gate, trained on the features of this very finder."""
        self.gate = gate.eval().requires_grad_(False)
        self.outputs = (*self.outputs, "gate", "lung")

    def depths(self) -> Sequence[Sequence[nn.Parameter]]:
        """Parameters from the input to the output: three depths of the backbone, then the head."""
        *backbone, head = super().depths()
        context = () if self.context is None else self.context.parameters()
        return [*backbone, [*head, *self.detail.parameters(), self.gain, *context]]

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W) uint8, display -> logit (N,), map (N, h, w), box (N, 4); gate, lung; all float32."""
        seen = self.look(slices)
        shown = seen.logit, seen.evidence, seen.box
        return shown if seen.gate is None or seen.lung is None else (*shown, seen.gate, seen.lung)

    def look(self, slices: Tensor) -> Look:
        """(N, H, W) uint8, display -> all that is seen, cells of 16 pixels of the cropped slice."""
        # In float32 always: rounded to bfloat16 a box would jump, and masks are cropped by it too.
        with torch.autocast(slices.device.type, enabled=False):
            x, box, shares, features = self.crop.look(slices)
            # Before the classifier: whatever lies between the finder's layers and its own stays in float.
            gate = None if self.gate is None else self.gate(features, shares)
            lung = None if self.gate is None else shares.mean((1, 2))
        middle = self.features[:DEPTH](x)
        top = self.dropout(self.features[DEPTH:](middle))
        cells = enlarge(self.evidence(top)) + self.detail(middle)
        lungs = to_cells(shares, box, side=cells.shape[3])
        # Squared: what is half lung is mostly its edge, where evidence would spill over.
        fine = to_shares(shares, box, side=FINE * cells.shape[3]).square()
        weights = (fine / fine.mean((1, 2), keepdim=True))[:, None]
        if self.crop.masked:
            # Nothing was to be seen, so there is nothing to say.
            weights = weights * has_lungs(shares)[:, None, None, None]
        evidence = spread(functional.softplus(cells.float()) * self.gain.exp(), weights)
        taught = evidence.mean((2, 3)) + self.bias
        if self.context is not None:
            contexts = spread(enlarge(self.context(top)).float(), weights).mean((2, 3))
            kept = (contexts.new_tensor(self.shares) * contexts).sum(1)
            # Of the lungs at large, so laid out evenly: where lesions are, disease says.
            evidence = evidence + kept[:, None, None, None] * weights
            taught = taught + contexts
        evidence = evidence.squeeze(1)
        logit = evidence.mean((1, 2)) + self.bias
        return Look(logit, taught, evidence, box, cells.squeeze(1), lungs, gate, lung)


def spread(cells: Tensor, weights: Tensor) -> Tensor:
    """What cells (N, K, h, w) say, by weights (N, 1, H, W) of mean 1 that lie on the lungs: (N, K, H, W).

    Its mean is that over the lungs.
    """
    return functional.interpolate(cells, scale_factor=float(FINE), mode="bilinear") * weights


def to_cells(shares: Tensor, box: Tensor, *, side: int) -> Tensor:
    """What each cell of a box counts: shares of lung (N, h, w) of the slice -> (N, side, side) in [0, 1].

    A cell half of which is lung counts in full; where there are no lungs, all do.
    """
    return (2 * functional.avg_pool2d(to_shares(shares, box, side=2 * side)[:, None], 2)[:, 0]).clamp(0, 1)


def to_shares(shares: Tensor, box: Tensor, *, side: int) -> Tensor:
    """Shares of lung (N, h, w) of the slice -> (N, side, side) of a box; 1 where there are no lungs."""
    inside = crop_few(shares, box, size=side)
    return torch.where(has_lungs(shares)[:, None, None], inside, 1.0)


def enlarge(cells: Tensor) -> Tensor:
    """Cells of 32 pixels (N, K, h, w) as cells of 16."""
    return functional.interpolate(cells, scale_factor=2.0, mode="nearest")
