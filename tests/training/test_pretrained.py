from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from covidct.errors import PretrainedError
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.pretrained import ADDRESS, Pretrained, apply_pretrained, load_pretrained

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """What a MobileNetV2 of another seed has, with a classifier that is not wanted."""
    torch.manual_seed(1)
    features = EvidenceNet(32).features.state_dict(prefix="features.")
    return features | {"classifier.1.weight": torch.zeros(1000, 1280)}


@pytest.fixture
def network() -> EvidenceNet:
    torch.manual_seed(2)
    return EvidenceNet(32)


def test_loads_safetensors(state: State, network: EvidenceNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    pretrained = load_pretrained(path)
    assert pretrained.origin == "weights.safetensors"
    assert pretrained.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(key.startswith("features.") for key in pretrained.state)
    head = network.evidence.weight.clone()
    apply_pretrained(network, pretrained)
    for key, value in network.features.state_dict(prefix="features.").items():
        assert torch.equal(value, state[key])
    assert torch.equal(network.evidence.weight, head)


def test_shared_weights(shared_weights: Path, network: EvidenceNet) -> None:
    apply_pretrained(network, load_pretrained(shared_weights))
    key = "features.18.0.weight"
    assert torch.equal(network.state_dict()[key], load_file(shared_weights)[key])


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04" + bytes(64), None])
def test_what_holds_no_weights(tmp_path: Path, content: bytes | None) -> None:
    for ending, kind in ((".safetensors", "safetensors"), (".pth", "the maker's .pth")):
        path = tmp_path / f"weights{ending}"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(PretrainedError, match=f"^{path}: cannot be read as {kind}"):
            load_pretrained(path)


def test_loads_the_file_that_its_maker_gives(state: State, tmp_path: Path) -> None:
    path = tmp_path / "mobilenet_v2-b0353104.pth"
    torch.save(state, path)
    pretrained = load_pretrained(path)
    assert pretrained.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(pretrained.state) == [key for key in state if key.startswith("features.")]
    torch.save([1, 2], path)
    with pytest.raises(PretrainedError, match="is it a MobileNetV2"):
        load_pretrained(path)


def test_a_folder_is_no_safetensors(tmp_path: Path) -> None:
    with pytest.raises(PretrainedError, match=f"^{tmp_path}: cannot be read as safetensors"):
        load_pretrained(tmp_path)


def test_another_network(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"layer1.0.conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(PretrainedError, match=f"^{path}: holds no key that starts with 'features.'"):
        load_pretrained(path)


@pytest.mark.parametrize(
    ("change", "count", "key"),
    [
        (lambda state: state.pop("features.18.0.weight"), 1, "features.18.0.weight"),
        (lambda state: state.update({"features.0.0.weight": torch.zeros(32)}), 1, "features.0.0.weight"),
        (lambda state: state.clear(), 312, "features.0.0.weight"),
    ],
)
def test_layers_that_do_not_fit(
    state: State, network: EvidenceNet, change: Callable[[State], Any], count: int, key: str
) -> None:
    changed = dict(state)
    change(changed)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    message = f"^somewhere: {count} of 312 layers do not fit, the first is {key}"
    with pytest.raises(PretrainedError, match=message):
        apply_pretrained(network, Pretrained(changed, "somewhere", ""))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def answer(monkeypatch: pytest.MonkeyPatch, outcome: State | Exception) -> dict[str, Any]:
    """Let the download give or raise `outcome`; the dict is filled with what it was asked for."""
    asked: dict[str, Any] = {}

    def load(url: str, **options: Any) -> State:
        asked.update(options, url=url)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    return asked


def test_download(state: State, network: EvidenceNet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, state)
    pretrained = load_pretrained(None)
    assert asked == {"url": ADDRESS, "map_location": "cpu", "check_hash": True, "weights_only": True}
    assert (pretrained.origin, pretrained.digest) == (ADDRESS, "b0353104")
    apply_pretrained(network, pretrained)


@pytest.mark.parametrize(
    "error", [URLError("no route to host"), TimeoutError("timed out"), PermissionError(13, "x")]
)
def test_no_network(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, error)
    with pytest.raises(PretrainedError, match=f"^{ADDRESS}: cannot be downloaded .* with --pretrained FILE"):
        load_pretrained(None)


def test_wrong_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, RuntimeError('invalid hash value (expected "b0353104", got "0000")'))
    with pytest.raises(
        PretrainedError, match=f"^{ADDRESS}: the download does not match its checksum: .*0000"
    ):
        load_pretrained(None)
