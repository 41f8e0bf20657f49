"""The network that a recipe names."""

from __future__ import annotations

from covidct.data.recipe import Recipe
from covidct.training.networks.lung_net import LungNet
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.networks.opacity_net import OpacityNet
from covidct.training.networks.six_layers import SixLayerNet

Network = EvidenceNet | SixLayerNet


def build_network(recipe: Recipe) -> Network:
    """A network with fresh weights, drawn from torch's global generator."""
    match recipe.network:
        case "six_layers":
            return SixLayerNet(recipe.size, dropout=recipe.dropout)
        case "lung_net":
            return LungNet(
                recipe.size, dropout=recipe.dropout, contexts=recipe.contexts, masked=recipe.masked
            )
        case "opacity_net":
            return OpacityNet(recipe.size, dropout=recipe.dropout, masked=recipe.masked)
        case _:
            return EvidenceNet(recipe.size, dropout=recipe.dropout)
