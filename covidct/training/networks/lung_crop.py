"""The slice as the classifier sees it: cropped to its lungs, lung and soft tissue at fixed greys.

Knows a mask of lungs and the arithmetic of boxes and grey levels; all of it is part of the exported graph.
A slice without lungs passes through whole, its greys as they are: what to do with it is not decided here.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from covidct.training.networks.lung_finder import CELLS, LungFinder
from covidct.training.networks.mobilenet import GREY_MEAN, GREY_STD

MARGIN = 0.07  # of the lungs' width and height, added on every side
TAIL = 0.01  # share of the mask's mass that may lie beyond either side: specks do not move the box
MIN_SHARE = 0.02  # share of the slice below which nothing counts as lung
# Aerated lung: dark even where half of it is diseased. Soft tissue: what else the box holds.
LUNG_SHARE, TISSUE_SHARE = 0.15, 0.60
LUNG_GREY, TISSUE_GREY = 0.15, 0.75  # where they are put, of the whole scale
LEVELS = 128  # of the scale on which percentiles are counted
REACH = 3  # cells by which the lungs are widened before the rest is masked
DOUBT = 0.1  # share of lung up to which a cell is none
CONTRAST = 0.08  # of the scale: lung and tissue are taken to be at least so far apart
DETAIL = 1.25  # how much larger than the network's input the slice is kept before it is cropped


class Crop(NamedTuple):
    """Slices cropped to their lungs.

    `slices` (N, 3, size, size), the network's input; `box` (N, 4) in [0, 1]; `lungs` (N, h, w) in [0, 1], the
    share of each cell of the whole slice; `features`, the finder's (N, C, h, w), fine to deep.
    """

    slices: Tensor
    box: Tensor
    lungs: Tensor
    features: list[Tensor]


class LungCrop(nn.Module):
    """Any uint8 slice -> the network's input and the box that it shows; stands in for `Standardise`.

    `masked` hides everything outside the lungs, and so all of a slice without lungs.
    """

    def __init__(self, size: int, *, masked: bool = False):
        super().__init__()
        self.size, self.masked = size, masked
        self.finder = LungFinder().eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """The finder is trained already: its statistics stay as they are."""
        super().train(mode)
        self.finder.eval()
        return self

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W) uint8, display -> (N, 3, size, size), box (N, 4), lungs (N, h, w), all float32."""
        return self.look(slices)[:3]

    def look(self, slices: Tensor) -> Crop:
        """(N, H, W) uint8, display -> what the network needs, and what the finder saw."""
        # A slice is read once in full; smaller copies are made of this one.
        kept = _resize(slices, round(self.size * DETAIL))
        logits, features = self.finder.look(kept.squeeze(1))
        lungs = torch.sigmoid(logits)
        box = to_box(lungs)
        small = _resize(kept.squeeze(1), CELLS).squeeze(1) / 255.0
        low, high = to_levels(small, lungs, box)
        x = crop(kept, box, size=self.size) / 255.0
        scale = (TISSUE_GREY - LUNG_GREY) / (high - low)
        x = (LUNG_GREY + (x - low[:, None, None, None]) * scale[:, None, None, None]).clamp(0, 1)
        if self.masked:
            x = mask(x, lungs, box)
        x = (x - GREY_MEAN) / GREY_STD
        return Crop(x.expand(-1, 3, -1, -1), box, lungs, features)


def mask(slices: Tensor, lungs: Tensor, box: Tensor) -> Tensor:
    """Slices (N, 1, size, size) in [0, 1] of a box (N, 4), soft tissue's grey for all that is not near lungs.

    `lungs` (N, h, w) are shares of the whole slice, widened here, so that the pleura and solid lesions under
    it stay in sight.
    """
    wide = functional.max_pool2d(lungs[:, None], 2 * REACH + 1, stride=1, padding=REACH)
    near = crop_few(wide.squeeze(1), box, size=slices.shape[3])[:, None]
    # What the finder all but excludes is hidden in full: a trace of it might still be read.
    near = ((near - DOUBT) / (0.5 - DOUBT)).clamp(0, 1)
    return TISSUE_GREY + (slices - TISSUE_GREY) * near


def to_box(lungs: Tensor) -> Tensor:
    """The box of the lungs, with a margin: (N, h, w) shares of lung -> (N, 4) left, top, right, bottom.

    In [0, 1] of the slice's width and height; the whole slice where there is no lung.
    """
    columns, rows = lungs.mean(1), lungs.mean(2)
    left, right = _quantile(columns, TAIL), _quantile(columns, 1 - TAIL)
    top, bottom = _quantile(rows, TAIL), _quantile(rows, 1 - TAIL)
    wide, high = MARGIN * (right - left), MARGIN * (bottom - top)
    box = torch.stack([left - wide, top - high, right + wide, bottom + high], dim=1).clamp(0, 1)
    whole = box.new_tensor([0.0, 0.0, 1.0, 1.0])
    return torch.where(has_lungs(lungs)[:, None], box, whole)


def has_lungs(lungs: Tensor) -> Tensor:
    """(N, h, w) shares of lung -> (N,) bool: whether there is enough of them to speak of."""
    return lungs.mean(dim=(1, 2)) >= MIN_SHARE


def to_levels(greys: Tensor, lungs: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Grey levels of aerated lung and of soft tissue: (N, h, w) greys in [0, 1] and lungs -> (N,) each.

    Such that nothing changes where there is no lung.
    """
    inside = _inside(box, greys.shape[1], greys.shape[2])
    low = _level(greys, lungs, LUNG_SHARE)
    high = _level(greys, (1 - lungs) * inside, TISSUE_SHARE)
    high = torch.maximum(high, low + CONTRAST)
    found = has_lungs(lungs)
    return torch.where(found, low, LUNG_GREY), torch.where(found, high, TISSUE_GREY)


def crop(slices: Tensor, box: Tensor, *, size: int) -> Tensor:
    """Resample (N, 1, H, W) inside of box (N, 4) to (N, 1, size, size), bilinear, edges going on for ever."""
    left, top, right, bottom = box.unbind(1)
    # A box lies along the axes: one axis after the other takes a third of grid_sample's time.
    rows = _resample(slices.squeeze(1), top, bottom, size=size).transpose(1, 2)
    return _resample(rows, left, right, size=size).transpose(1, 2).unsqueeze(1)


def crop_few(cells: Tensor, box: Tensor, *, size: int) -> Tensor:
    """As `crop`, of cells (N, h, w) so few that a product of matrices is faster: (N, size, size)."""
    left, top, right, bottom = box.unbind(1)
    down = _weigh(top, bottom, cells.shape[1], size=size)
    across = _weigh(left, right, cells.shape[2], size=size)
    return down @ cells @ across.transpose(1, 2)


def _weigh(start: Tensor, stop: Tensor, side: int, *, size: int) -> Tensor:
    """What each of `side` cells counts at `size` places from start to stop (N,): (N, size, side)."""
    cells = torch.arange(side, device=start.device, dtype=start.dtype)
    return (1 - (_to_places(start, stop, side, size=size)[:, :, None] - cells).abs()).relu()


def _to_places(start: Tensor, stop: Tensor, side: int, *, size: int) -> Tensor:
    """`size` places from start to stop (N,), in [0, 1] of the side, in cells from the first's centre."""
    steps = (torch.arange(size, device=start.device, dtype=start.dtype) + 0.5) / size
    return ((start[:, None] + (stop - start)[:, None] * steps) * side - 0.5).clamp(0, side - 1)


def _resample(lines: Tensor, start: Tensor, stop: Tensor, *, size: int) -> Tensor:
    """Lines (N, side, K) at `size` places from start to stop (N,), in [0, 1] of the side: (N, size, K)."""
    side = lines.shape[1]
    places = _to_places(start, stop, side, size=size)
    first = places.floor().clamp(max=side - 2)
    index = first.long()[:, :, None].expand(-1, -1, lines.shape[2])
    before, after = lines.gather(1, index), lines.gather(1, index + 1)
    return before + (after - before) * (places - first)[:, :, None]


def _resize(slices: Tensor, side: int) -> Tensor:
    """(N, H, W) in [0, 255] -> (N, 1, side, side) float32 in the same range, with antialiasing."""
    return functional.interpolate(
        slices.unsqueeze(1).float(), size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )


def _quantile(mass: Tensor, share: float) -> Tensor:
    """Where along (N, k) cells that share of the mass is reached: (N,) in [0, 1], linear within a cell."""
    mass = mass / mass.sum(1, keepdim=True).clamp_min(1e-6)
    before = mass.cumsum(1) - mass
    filled = ((share - before) / mass.clamp_min(1e-6)).clamp(0, 1)
    return filled.mean(1)


def _level(greys: Tensor, weights: Tensor, share: float) -> Tensor:
    """Weighted quantile of (N, h, w) greys in [0, 1], counted on a scale of levels: (N,)."""
    levels = (torch.arange(LEVELS, device=greys.device, dtype=greys.dtype) + 0.5) / LEVELS
    flat, weights = greys.flatten(1), weights.flatten(1)
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
    reached = (flat[:, None, :] <= levels[None, :, None]).to(greys.dtype)
    shares = (reached @ weights[:, :, None]).squeeze(2)
    return (shares < share).to(greys.dtype).mean(1)


def _inside(box: Tensor, rows: int, columns: int) -> Tensor:
    """(N, rows, columns): 1 where a cell's centre lies in the box."""
    x = (torch.arange(columns, device=box.device, dtype=box.dtype) + 0.5) / columns
    y = (torch.arange(rows, device=box.device, dtype=box.dtype) + 0.5) / rows
    left, top, right, bottom = (side[:, None] for side in box.unbind(1))
    across, down = (x >= left) & (x <= right), (y >= top) & (y <= bottom)
    return (across[:, None, :] & down[:, :, None]).to(box.dtype)
