"""What tests do with networks and their states: wake them up, compare them to the last bit."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from covidct.training.networks.mobilenet import EvidenceNet


def is_same(first: Any, second: Any) -> bool:
    """Whether two nested states, with tensors in them or without, are equal to the last bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(is_same, first, second))
    return bool(first == second)


@torch.no_grad()
def make_network(size: int) -> EvidenceNet:
    """Random weights, eval mode, and statistics of batch normalisation that keep layers from fading out."""
    torch.manual_seed(0)
    network = EvidenceNet(size)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    network(torch.randint(0, 256, (8, size, size), dtype=torch.uint8))
    return network.eval()
