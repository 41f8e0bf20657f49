from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from covidct.data.manifest import read_manifest
from covidct.data.recipe import Phase
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.inference.bundle import GRAPHS, default_path
from covidct.inference.classifier import Classifier
from covidct.inference.overlay import to_overlay
from covidct.inference.session import Session
from covidct.training.export import count_spared
from covidct.training.fit import build_optimiser, build_run, prepare
from covidct.training.fit_lung_finder import read_finder
from covidct.training.loss import compute_loss
from covidct.training.networks.build import build_network
from covidct.training.networks.lung_net import LungNet, to_cells, to_shares
from covidct.training.run import Job, make_finder, split_rows, train
from covidct.training.slices import Batch
from figures.predictions import evidence_of, predicted
from makers import phantom_hu
from training import NOTHING, tiny_recipe, write_lungs, write_phantoms

RECIPE = replace(
    tiny_recipe(),
    network="lung_net",
    finder_steps=10,
    size=64,
    lesions=1.0,
    calm=0.1,
    augment=NOTHING,
    phases=(Phase("all", 1, 3e-3),),
)
SLICES = [to_display(phantom_hu(Phantom.LESIONS, seed=seed, size=80 + 7 * seed)) for seed in range(4)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lung_net")
    manifest = read_manifest(write_lungs(folder))
    with pytest.MonkeyPatch.context() as patch:
        # What learnt for seconds ranks by hairs, and int8 rounds them away.
        patch.setattr("covidct.training.run.check_int8", lambda *_, **__: None)
        return train(Job(RECIPE, manifest, folder / "out", accept="phantoms"))


def test_from_manifest_to_bundle(bundle: Path) -> None:
    result = Classifier.load(bundle).predict(SLICES[0])
    assert evidence_of(result).shape == (16, 16)
    left, top, right, bottom = predicted(result).box
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


def test_both_graphs_crop_alike(bundle: Path) -> None:
    boxes = [
        Session((bundle / name).read_bytes()).run(SLICES[1][None]).box
        for name in ("model.onnx", "model.int8.onnx")
    ]
    np.testing.assert_allclose(boxes[0], boxes[1], atol=1e-4)


def test_a_run_goes_on_with_its_finder(bundle: Path) -> None:
    assert (bundle.parent / "finder.safetensors").is_file()


def test_training_moves_no_weight_of_the_finder(bundle: Path) -> None:
    best, finder = (load_file(bundle.parent / f"{name}.safetensors") for name in ("best", "finder"))
    for key, value in finder.items():
        assert torch.equal(best[f"crop.finder.{key}"], value)


def test_without_lung_masks_the_finder_is_that_of_the_model_that_ships(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job = Job(RECIPE, read_manifest(write_phantoms(tmp_path)), out, accept="phantoms")
    finder = make_finder(job, split_rows(job))
    assert finder is not None
    shipped = read_finder((default_path() / GRAPHS["float"]).read_bytes()).state_dict()
    for key, value in finder.state_dict().items():
        assert torch.equal(value, shipped[key])
    assert "No lung masks beside the slices" in capsys.readouterr().err


def test_the_finder_stays_in_float(bundle: Path) -> None:
    spared = count_spared(LungNet(64))
    nodes = onnx.load(bundle / "model.int8.onnx").graph.node
    kinds = [node.op_type for node in nodes if node.op_type in ("Conv", "QuantizeLinear")]
    assert kinds.index("QuantizeLinear") >= spared == 29


def test_the_graphs_are_light(bundle: Path) -> None:
    assert (bundle / "model.onnx").stat().st_size < 16e6
    assert (bundle / "model.int8.onnx").stat().st_size < 5e6


def test_the_logit_is_the_mean_of_the_evidence() -> None:
    torch.manual_seed(1)
    network = LungNet(64).eval()
    with torch.inference_mode():
        seen = network.look(torch.from_numpy(np.stack([SLICES[0][:80, :80], SLICES[0][:80, :80].T])))
    torch.testing.assert_close(seen.evidence.mean((1, 2)) + network.bias, seen.logit)
    assert (seen.evidence >= 0).all()
    assert seen.cells.shape == (2, 4, 4)


def test_contexts_count_in_part_and_teach_in_full() -> None:
    torch.manual_seed(1)
    network = LungNet(64, contexts=(0.25, 0.0)).eval()
    assert network.context is not None
    torch.nn.init.constant_(network.context.weight[0], 1e7)
    torch.nn.init.constant_(network.context.weight[1], -1e8)
    slices = torch.from_numpy(SLICES[0][None])
    with torch.inference_mode():
        seen = network.look(slices)
        torch.nn.init.zeros_(network.context.weight)
        without = network.look(slices)
    torch.testing.assert_close(seen.evidence.mean((1, 2)) + network.bias, seen.logit)
    torch.testing.assert_close(4 * (seen.logit - without.logit), seen.taught[:, 0] - without.logit)
    assert (seen.logit - without.logit).abs() > 1e-4
    assert seen.taught[:, 1] < without.logit - 1e-4
    torch.testing.assert_close(without.taught, without.logit[:, None].expand(1, 2))


def test_context_speaks_against_disease_too() -> None:
    """So a normal slice can be far from the threshold, not only at its bias."""
    torch.manual_seed(1)
    network = LungNet(64, contexts=(0.5,)).eval()
    assert network.context is not None
    torch.nn.init.constant_(network.context.weight, -1e8)
    with torch.inference_mode():
        seen = network.look(torch.from_numpy(SLICES[0][None]))
    assert (seen.logit < network.bias).all()


@pytest.mark.parametrize(
    ("sources", "count"), [((), 2), (("hall", "paper"), 2), (("hall",), 1), (("paper",), 2)]
)
def test_a_context_apart_is_learnt_where_its_source_is(sources: tuple[str, ...], count: int) -> None:
    plan = replace(RECIPE.data, sources=sources)
    recipe = replace(RECIPE, context=1.0, apart=("paper",), apart_context=0.25, data=plan)
    network = build_network(recipe)
    assert isinstance(network, LungNet)
    assert network.context is not None
    assert network.shares == (1.0, 0.25)[:count]
    assert len(network.context.weight) == count
    assert not [key for key in build_network(RECIPE).state_dict() if "context" in key]


def test_labels_teach_the_contexts_whatever_their_share() -> None:
    grown = []
    for share in (0.1, 0.9):
        torch.manual_seed(1)
        network = LungNet(64, contexts=(share, 0.0)).train()
        assert network.context is not None
        slices = torch.from_numpy(np.stack([SLICES[0][:80, :80], SLICES[1][:80, :80]]))
        batch = Batch(
            slices,
            torch.tensor([0.0, 1.0]),
            torch.zeros_like(slices),
            torch.tensor([False, False]),
            torch.tensor([0, 0]),
            torch.tensor([False, False]),
            torch.tensor([False, False]),
        )
        torch.manual_seed(2)
        compute_loss(network, batch, replace(RECIPE, precision="float32")).backward()  # type: ignore[no-untyped-call]
        assert network.context.weight.grad is not None
        grown.append(network.context.weight.grad)
    torch.testing.assert_close(grown[0], grown[1])
    assert grown[0][0].any()
    assert not grown[0][1].any()  # no slice of a source apart


def test_what_lies_outside_the_lungs_does_not_count() -> None:
    shares = torch.zeros(1, 48, 48)
    shares[:, 12:36, 12:24] = 1
    cells = to_cells(shares, torch.tensor([[0.25, 0.25, 0.75, 0.75]]), side=4)
    torch.testing.assert_close(cells[0, :, :2], torch.ones(4, 2))
    assert (cells[0, :, 3] == 0).all()
    assert (to_cells(torch.zeros(1, 48, 48), torch.tensor([[0.0, 0.0, 1.0, 1.0]]), side=4) == 1).all()


def test_frozen_blocks_keep_their_weights_and_statistics() -> None:
    phase = replace(RECIPE.phases[0], freeze=False, frozen_blocks=4)
    network = build_run(RECIPE, None).network
    prepare(network, phase)
    optimiser, _ = build_optimiser(network, phase, RECIPE, steps=1)
    learning = {id(weights) for group in optimiser.param_groups for weights in group["params"]}
    assert not learning & {id(weights) for weights in network.features[:4].parameters()}
    assert learning >= {id(weights) for weights in network.features[4:].parameters()}
    assert not any(block.training for block in list(network.features)[:4])
    assert network.features[4].training


def test_the_overlay_keeps_to_the_box() -> None:
    pixels = np.full((40, 60), 100, np.uint8)
    overlay = to_overlay(pixels, np.full((2, 2), 8, np.float32), box=(0.5, 0.25, 1.0, 0.75))
    changed = (overlay != 100).any(axis=2)
    assert changed[10:30, 30:].all()
    assert changed.sum() == 20 * 30


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), (0.999, 0.2, 1.0, 0.2001)])
def test_a_box_of_no_extent_covers_a_pixel(box: tuple[float, float, float, float]) -> None:
    overlay = to_overlay(np.full((40, 60), 100, np.uint8), np.full((2, 2), 8, np.float32), box=box)
    assert (overlay != 100).any()


def test_evidence_ends_where_the_lungs_end() -> None:
    """Inside a cell of four parts."""
    shares = torch.zeros(1, 48, 48)
    shares[:, :, 6:30] = 1
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    fine = to_shares(shares, whole, side=16)[0, 0]
    torch.testing.assert_close(fine, torch.tensor([0.0] * 2 + [1.0] * 8 + [0.0] * 6))
    assert (to_shares(0 * shares, whole, side=16) == 1).all()


def test_where_no_lung_is_seen_a_masked_network_says_nothing() -> None:
    torch.manual_seed(1)
    network = LungNet(64, contexts=(1.0,), masked=True).eval()
    assert network.context is not None
    torch.nn.init.constant_(network.context.weight, 1e6)
    slices = torch.from_numpy(np.stack([SLICES[0][:80, :80], np.full((80, 80), 90, np.uint8)]))
    for shares, is_seen in ((torch.full((2, 48, 48), 0.001), False), (torch.full((2, 48, 48), 0.9), True)):
        network.crop.finder = Found(shares)  # type: ignore[assignment]
        with torch.inference_mode():
            seen = network.look(slices)
        assert seen.evidence.any() == is_seen
        assert torch.equal(seen.logit, network.bias.expand(2)) is not is_seen


class Found(torch.nn.Module):
    """A finder that was told the shares of lung (N, h, w)."""

    def __init__(self, shares: torch.Tensor):
        super().__init__()
        self.shares = shares

    def look(self, slices: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(N, H, W) uint8 -> logits (N, h, w)."""
        return torch.logit(self.shares), []
