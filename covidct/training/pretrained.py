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
from safetensors.torch import load_file
from torch import Tensor, nn

from covidct.errors import PretrainedError
from covidct.images.library_errors import damage_as

# PyTorch's own release; the eight hex digits in the name are the start of its SHA-256, which is checked.
ADDRESS = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
MAKERS = ".pth"


@dataclass(frozen=True)
class Pretrained:
    """State of the backbone under the keys `features.*`, and where it came from."""

    state: dict[str, Tensor]
    origin: str
    digest: str


def load_pretrained(path: Path | None) -> Pretrained:
    """Backbone weights from `path` (safetensors, or the maker's .pth), else downloaded.

    Raises PretrainedError.
    """
    if path is None:
        return _download()
    kind = "as the maker's .pth" if path.suffix == MAKERS else "as safetensors"
    with damage_as(lambda cause: PretrainedError(f"{path}: cannot be read {kind}: {cause}")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        # Weights only: nothing that the file says is run.
        state = (
            torch.load(path, map_location="cpu", weights_only=True)
            if path.suffix == MAKERS
            else load_file(path)
        )
    return Pretrained(_features(state, str(path)), path.name, digest)


def _download() -> Pretrained:
    try:
        state = torch.hub.load_state_dict_from_url(
            ADDRESS, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, OSError) as error:
        raise PretrainedError(
            f"{ADDRESS}: cannot be downloaded ({error}); "
            "without a network fetch that file elsewhere and give it with --pretrained FILE"
        ) from error
    except RuntimeError as error:
        raise PretrainedError(f"{ADDRESS}: the download does not match its checksum: {error}") from error
    return Pretrained(_features(state, ADDRESS), ADDRESS, ADDRESS.rsplit("-", 1)[1].removesuffix(".pth"))


def _features(state: object, where: str) -> dict[str, Tensor]:
    named = state if isinstance(state, dict) else {}
    features = {key: value for key, value in named.items() if str(key).startswith("features.")}
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
