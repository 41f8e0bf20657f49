from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from covidct.data.teaching import Teaching
from covidct.training.lessons.cost import compute_opacity_loss, cost_cells, cost_label, cost_opacity
from covidct.training.lessons.views import Facts, Lesson
from covidct.training.networks.opacity_net import Lower, OpacityNet, Opinion
from training import tiny_recipe

RECIPE = replace(
    tiny_recipe(), network="opacity_net", lesions=2.0, calm=0.5, teaching=Teaching(opacity=1.0, views=8)
)


def make_lesson(
    label: float,
    *,
    doubt: float = 0.0,
    normal: float = 0.0,
    counts: float = 1.0,
    drawn: bool = False,
    lesion: float = 0.0,
) -> Lesson:
    lower = Lower(torch.rand(1, 32, 8, 8), torch.ones(1, 16, 16), torch.tensor([[0.0, 0, 1, 1]]))
    facts = Facts(torch.tensor([normal]), torch.tensor([doubt]), torch.tensor([counts]))
    return Lesson(
        lower,
        torch.tensor([label]),
        torch.full((1, 16, 16), lesion),
        torch.tensor([drawn]),
        torch.tensor([lesion > 0.3]),
        torch.tensor([0]),
        facts,
    )


def make_opinion(*, opacity: float = 0.0, cells: float = 0.0) -> Opinion:
    zero = torch.zeros(1)
    maps = torch.full((1, 4, 4), cells)
    return Opinion(
        zero, torch.tensor([opacity]), zero, zero, torch.zeros(1, 16, 16), maps, torch.ones(1, 4, 4)
    )


def grow(lesson: Lesson, logit: float) -> float:
    """How hard a label pulls at a logit."""
    logits = torch.tensor([logit], requires_grad=True)
    cost_label(logits, lesson, smoothing=0.0).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    return abs(logits.grad.item())


def test_a_doubted_label_does_not_pull_at_what_shows_nothing() -> None:
    assert grow(make_lesson(1.0), -4.0) > 0.9
    assert grow(make_lesson(1.0, doubt=0.5), -4.0) < 0.05


def test_a_doubted_label_pulls_where_something_shows() -> None:
    assert grow(make_lesson(1.0, doubt=0.2), 0.0) > 0.3


def test_a_negative_label_is_not_doubted() -> None:
    assert grow(make_lesson(0.0, doubt=0.5), 3.0) == grow(make_lesson(0.0), 3.0)


def test_labels_of_lone_sources_count_less() -> None:
    logits = torch.tensor([1.0])
    whole, half = (
        cost_label(logits, make_lesson(0.0, counts=counts), smoothing=0.0) for counts in (1.0, 0.5)
    )
    torch.testing.assert_close(half, whole / 2)


def cost(opacity: float, lesson: Lesson) -> float:
    return cost_opacity(make_opinion(opacity=opacity), lesson, smoothing=0.0).item()


def test_a_drawn_lesion_is_an_opacity() -> None:
    drawn = make_lesson(1.0, drawn=True, lesion=1.0)
    assert cost(9.0, drawn) < 0.01 < cost(-9.0, drawn)


def test_a_drawn_lesion_out_of_sight_is_none() -> None:
    assert cost(-9.0, make_lesson(1.0, drawn=True)) == cost(9.0, make_lesson(1.0, drawn=True)) == 0.0


def test_clear_lungs_show_none_as_far_as_they_are_believed() -> None:
    assert cost(9.0, make_lesson(0.0, normal=1.0)) == pytest.approx(9.0, abs=0.01)
    assert cost(9.0, make_lesson(0.0, normal=0.5)) == pytest.approx(4.5, abs=0.01)


def test_another_disease_may_or_may_not_be_opaque() -> None:
    assert cost(9.0, make_lesson(0.0)) == 0.0


@pytest.mark.parametrize(
    ("lesson", "weight"),
    [
        (make_lesson(0.0, normal=1.0), 0.5),
        (make_lesson(0.0, drawn=True), 2.0),
        (make_lesson(0.0), 0.0),
        (make_lesson(1.0), 0.0),
    ],
)
def test_cells_learn_from_what_is_known_of_them(lesson: Lesson, weight: float) -> None:
    given = cost_cells(make_opinion(cells=5.0), lesson, RECIPE).item()
    assert given == pytest.approx(5.0067 * weight, abs=1e-3)


def test_sources_may_have_levels_of_their_own() -> None:
    torch.manual_seed(1)
    network = OpacityNet(64).eval()
    lesson = make_lesson(1.0)
    offsets = torch.zeros(1, requires_grad=True)
    loss = compute_opacity_loss(network, lesson, RECIPE, offsets=offsets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert offsets.grad is not None
    assert offsets.grad.item() < 0
    plain = compute_opacity_loss(network, lesson, RECIPE)
    torch.testing.assert_close(plain, loss.detach())


def test_a_step_moves_all_that_may_learn() -> None:
    torch.manual_seed(1)
    network = OpacityNet(64).train()
    lesson = make_lesson(1.0, drawn=True, lesion=1.0)
    both = Lesson(*(_twice(part) for part in lesson))
    compute_opacity_loss(network, both, RECIPE).backward()  # type: ignore[no-untyped-call]
    still = [weights.grad is None for weights in network.features[:7].parameters()]
    moved = [weights.grad is not None for weights in network.features[7:].parameters()]
    assert all(still)
    assert all(moved)


def _twice(part: Any) -> Any:
    if isinstance(part, Tensor):
        return torch.cat([part, part])
    if isinstance(part, tuple):
        twice = [None if one is None else torch.cat([one, one]) for one in part]
        return type(part)(*twice)  # type: ignore[arg-type]
    return part
