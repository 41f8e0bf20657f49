"""What a lesson costs a network of two questions: labels, known opacities and known clear lungs, cells.

A label that holds for a patient is not held against a slice that shows nothing: with a doubt d, a slice of
probability p is labelled positive with d + (1 - d) p. Where p is small, and d is not, nothing is learned.
Source: Sukhbaatar et al., "Training Convolutional Networks with Noisy Labels" (ICLR 2015 workshop), here with
known noise on one side.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from covidct.data.recipe import Recipe
from covidct.training.lessons.views import Lesson
from covidct.training.loss import FILLED
from covidct.training.machine.precision import autocast
from covidct.training.networks.lung_net import FINE
from covidct.training.networks.opacity_net import OpacityNet, Opinion, join

TINY = 1e-6


def compute_opacity_loss(
    network: OpacityNet, lesson: Lesson, recipe: Recipe, *, offsets: Tensor | None = None
) -> Tensor:
    """The mean cost of a lesson's views.

    `offsets` (S,) are added to how typical they look, to each its source's.
    """
    with autocast(recipe.precision, lesson.labels.device):
        seen = network.weigh(lesson.lower)
    typical = seen.typical if offsets is None else seen.typical + offsets[lesson.sources]
    costs = cost_label(join(seen.opacity, typical), lesson, smoothing=recipe.label_smoothing)
    opacity = cost_opacity(seen, lesson, smoothing=recipe.label_smoothing)
    return (costs + recipe.teaching.opacity * opacity + cost_cells(seen, lesson, recipe)).mean()


def cost_label(logits: Tensor, lesson: Lesson, *, smoothing: float) -> Tensor:
    """What the labels say of logits (N,): smoothed, or doubted."""
    target = lesson.labels * (1 - smoothing) + smoothing / 2
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    doubt = lesson.facts.doubt
    doubted = -torch.log(doubt + (1 - doubt) * torch.sigmoid(logits) + TINY)
    return lesson.facts.counts * torch.where((lesson.labels == 1) & (doubt > 0), doubted, plain)


def cost_opacity(seen: Opinion, lesson: Lesson, *, smoothing: float) -> Tensor:
    """What is known of opacities: some where one was drawn and is in sight, none where lungs are clear."""
    some = (lesson.drawn & lesson.shown & (lesson.labels == 1)).float()
    target = some * (1 - smoothing) + smoothing / 2
    costs = functional.binary_cross_entropy_with_logits(seen.opacity, target, reduction="none")
    return costs * (some + lesson.facts.normal)


def cost_cells(seen: Opinion, lesson: Lesson, recipe: Recipe) -> Tensor:
    """Cross-entropy of the lungs' cells with drawn lesions, and with nothing where lungs are clear."""
    wanted = (FILLED * functional.avg_pool2d(lesson.lesions[:, None], FINE)[:, 0]).clamp(0, 1)
    costs = functional.binary_cross_entropy_with_logits(seen.cells, wanted, reduction="none")
    mean = (costs * seen.lungs).mean((1, 2)) / seen.lungs.mean((1, 2)).clamp_min(TINY)
    calm = recipe.calm * lesson.facts.normal * ~lesson.drawn
    return mean * (recipe.lesions * lesson.drawn + calm)
