"""ImageNet weights for the backbone: from a file, or from their maker's address with its checksum.

Knows the two layouts (safetensors, and the maker's own file). Knows nothing of training.
Lineage: MobileNetV2 1.0 trained on ImageNet-1k (Russakovsky et al., 2015).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from covidct.errors import PretrainedError

# PyTorch's own release; the eight hex digits in the name are the start of its SHA-256, which is checked.
ADDRESS = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"


@dataclass(frozen=True)
class Pretrained:
    """State of the backbone under the keys `features.*`, and where it came from."""

    state: dict[str, Tensor]
    origin: str
    digest: str


def load_pretrained(path: Path | None) -> Pretrained:
    """Backbone weights from `path` (safetensors), else downloaded. Raises PretrainedError."""
    if path is None:
        return _download()
    try:
        state = load_file(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, SafetensorError) as error:
        raise PretrainedError(f"{path}: cannot be read as safetensors: {error}") from error
    return Pretrained(_features(state, str(path)), path.name, digest)


def _download() -> Pretrained:
    try:
        state = torch.hub.load_state_dict_from_url(
            ADDRESS, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, OSError) as error:
        raise PretrainedError(
            f"{ADDRESS}: cannot be downloaded ({error}); "
            "without a network give the weights with --pretrained FILE (safetensors)"
        ) from error
    except RuntimeError as error:
        raise PretrainedError(f"{ADDRESS}: the download does not match its checksum: {error}") from error
    return Pretrained(_features(state, ADDRESS), ADDRESS, ADDRESS.rsplit("-", 1)[1].removesuffix(".pth"))


def _features(state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    features = {key: value for key, value in state.items() if key.startswith("features.")}
    if not features:
        raise PretrainedError(f"{where}: holds no key that starts with 'features.'; is it a MobileNetV2?")
    return features


def apply_pretrained(network: nn.Module, pretrained: Pretrained) -> None:
    """Copy the backbone's weights in; every key and shape must match. Raises PretrainedError."""
    own = {key: value for key, value in network.state_dict().items() if key.startswith("features.")}
    shapes = {key: value.shape for key, value in pretrained.state.items()}
    if wrong := [key for key, value in own.items() if shapes.get(key) != value.shape]:
        raise PretrainedError(
            f"{pretrained.origin}: {len(wrong)} of {len(own)} layers do not fit, the first is {wrong[0]}"
        )
    network.load_state_dict({key: pretrained.state[key] for key in own}, strict=False)
