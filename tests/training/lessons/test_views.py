from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from covidct.data.manifest import read_manifest
from covidct.data.recipe import Phase
from covidct.data.split import assign_splits
from covidct.data.teaching import Teaching
from covidct.inference.classifier import Classifier
from covidct.training.fit import fit, read_split
from covidct.training.fit_lung_finder import load_finder
from covidct.training.lessons.loader import KeptViews, build_loader
from covidct.training.lessons.views import CachedViews, Facts, draw_lessons, find_facts
from covidct.training.networks.build import build_network
from covidct.training.networks.lung_net import LungNet
from covidct.training.networks.opacity_net import OpacityNet
from covidct.training.run import Job, train
from covidct.training.slices import Slices
from training import NOTHING, tiny_recipe, write_lungs

RECIPE = replace(
    tiny_recipe(),
    network="opacity_net",
    masked=True,
    finder_steps=40,
    size=64,
    lesions=1.0,
    calm=0.1,
    epoch_slices=8,
    choose="last",
    augment=NOTHING,
    teaching=Teaching(
        normal=(("north", "non-covid", 1.0),), doubt=(("south", "covid", 0.3),), lone=0.5, views=12
    ),
    phases=(Phase("upper", 2, 3e-3, frozen_blocks=7),),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opacity_net")
    manifest = read_manifest(write_lungs(folder))
    with pytest.MonkeyPatch.context() as patch:
        # What learnt for seconds ranks by hairs, and int8 rounds them away.
        patch.setattr("covidct.training.run.check_int8", lambda *_, **__: None)
        return train(Job(RECIPE, manifest, folder / "out", accept="phantoms"))


@pytest.fixture(scope="module")
def slices(bundle: Path) -> Slices:
    manifest = read_manifest(bundle.parent.parent / "image" / "manifest.csv")
    return read_split(assign_splits(manifest.rows, RECIPE.data), RECIPE, "train")


@pytest.fixture(scope="module")
def kept(bundle: Path, slices: Slices) -> KeptViews:
    network = build_network(RECIPE)
    assert isinstance(network, LungNet)
    network.use(load_finder(bundle.parent / "finder.safetensors"))
    loader = build_loader(network, slices, RECIPE)
    assert isinstance(loader, KeptViews)
    return loader


def test_from_manifest_to_bundle(bundle: Path, slices: Slices) -> None:
    prediction = Classifier.load(bundle).predict(slices.pixels[0]).prediction
    assert prediction is not None
    assert prediction.evidence is not None
    assert prediction.evidence.shape == (16, 16)


def test_a_finished_run_draws_no_views(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.training.fit.build_loader", lambda *_, **__: pytest.fail("drawn again"))
    manifest = read_manifest(bundle.parent.parent / "image" / "manifest.csv")
    rows = assign_splits(manifest.rows, RECIPE.data)
    network = fit(RECIPE, rows, out=bundle.parent, pretrained=None)
    assert isinstance(network, OpacityNet)


def test_views_that_show_lungs_are_kept(kept: KeptViews) -> None:
    views = kept.views
    assert 0 < len(views) <= 12
    assert views.features.shape[1:] == (8, 8, 32)
    assert views.shares.shape[1:] == views.lesions.shape[1:] == (16, 16)
    assert (views.shares.amax((1, 2)) > 0).all()


def test_an_epoch_has_its_own_order(kept: KeptViews) -> None:
    def order(epoch: int) -> list[float]:
        kept.epoch = epoch
        return [float(lesson.lower.features.float().sum()) for lesson in kept]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert len(order(0)) == len(kept)


def test_each_view_comes_once_before_any_comes_twice() -> None:
    views = make_views(4)
    lessons = list(draw_lessons(views, count=8, batch=2, seed=3))
    seen = torch.cat([lesson.labels for lesson in lessons]).tolist()
    assert sorted(seen[:4]) == sorted(seen[4:]) == [0.0, 1.0, 2.0, 3.0]


def test_facts(slices: Slices) -> None:
    facts = find_facts(slices, RECIPE)
    for at, row in enumerate(slices.rows):
        ill = row.label == "covid"
        assert facts.normal[at] == (row.source == "north" and not ill)
        assert facts.doubt[at] == pytest.approx(0.3 if row.source == "south" and ill else 0.0)
        assert facts.counts[at] == 1.0


def make_views(count: int) -> CachedViews:
    numbers = torch.arange(float(count))
    return CachedViews(
        torch.zeros(count, 2, 2, 1, dtype=torch.bfloat16),
        torch.zeros(count, 4, 4, dtype=torch.uint8),
        torch.zeros(count, 4, 4, dtype=torch.uint8),
        numbers,
        numbers > 0,
        torch.zeros(count, dtype=torch.int64),
        Facts(*(torch.zeros(count) for _ in range(3))),
    )
