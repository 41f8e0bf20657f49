"""Slices that nobody would choose: each is refused or answered, and never ends the program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from covidct.apps.cli.main import main
from covidct.data.manifest import Manifest, read_manifest
from covidct.data.recipe import Gating, Phase
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.inference.classifier import Classifier
from covidct.inference.session import Session
from covidct.training.run import Job, train
from covidct.types import Pixels, Reason, Result, Status
from makers import write_png
from training import NOTHING, tiny_recipe, write_lungs

DRAWN = draw_slice(Phantom.LESIONS, seed=5, size=256)
CHEST = to_display(DRAWN.hu)
RECIPE = replace(
    tiny_recipe(),
    network="lung_net",
    finder_steps=60,
    size=64,
    augment=NOTHING,
    phases=(Phase("all", 1, 3e-3),),
    gate=Gating(views=1500, not_ct=("ood-photo",)),
)
FOREIGN = {Reason.NOT_CT, Reason.RADIOGRAPH, Reason.NOT_CHEST, Reason.NOT_AXIAL, Reason.NO_LUNG}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(write_lungs(tmp_path_factory.mktemp("bad")))


@pytest.fixture(scope="module")
def bundle(manifest: Manifest) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        # What learnt for seconds ranks by hairs, and int8 rounds them away.
        patch.setattr("covidct.training.run.check_int8", lambda *_, **__: None)
        return train(Job(RECIPE, manifest, manifest.path.parent / "out", accept="phantoms"))


@pytest.fixture(scope="module")
def classifier(bundle: Path) -> Classifier:
    return Classifier.load(bundle)


def is_sound(result: Result) -> bool:
    """Either an answer with its probability, or a reason and a sentence."""
    if result.status is Status.OK:
        return result.probability is not None and 0 <= result.probability <= 1
    return result.status is Status.REFUSED and result.reason is not None and bool(result.message)


def one_lung() -> Pixels:
    """The left half of the lungs filled with soft tissue, as after a pneumonectomy."""
    left = DRAWN.lung_mask & (np.arange(256) < 128)
    return np.where(left, np.uint8(230), CHEST)


def no_lung() -> Pixels:
    return np.where(DRAWN.lung_mask, np.uint8(230), CHEST)


def child() -> Pixels:
    """Small and round, in a large field."""
    page = np.zeros((256, 256), np.uint8)
    page[70:186, 78:178] = np.asarray(Image.fromarray(CHEST).resize((100, 116)))
    return page


def metal() -> Pixels:
    """Bright and dark rays from a spot of metal."""
    y, x = np.mgrid[:256, :256] - np.array([150.0, 128.0])[:, None, None]
    rays = 120 * np.cos(18 * np.arctan2(y, x)) * np.exp(-np.hypot(x, y) / 120)
    struck: Pixels = np.clip(CHEST + rays, 0, 255).astype(np.uint8)
    struck[np.hypot(x, y) < 6] = 255
    return struck


ANSWERED: dict[str, Callable[[], Pixels]] = {
    "plain": lambda: CHEST,
    "mirrored": lambda: np.ascontiguousarray(CHEST[:, ::-1]),
    "huge": lambda: np.asarray(Image.fromarray(CHEST).resize((6000, 6000))),
    "one lung": one_lung,
}
EITHER: dict[str, Callable[[], Pixels]] = {
    "inverted": lambda: 255 - CHEST,
    "rotated by 90 degrees": lambda: np.ascontiguousarray(np.rot90(CHEST)),
    "upside-down": lambda: np.ascontiguousarray(CHEST[::-1]),
    "no lung": no_lung,
    "child": child,
    "metal": metal,
    "a strip": lambda: np.ascontiguousarray(CHEST[100:132]),
    "two levels": lambda: np.where(CHEST > 100, np.uint8(255), np.uint8(0)),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(classifier: Classifier, name: str) -> None:
    result = classifier.predict(ANSWERED[name]())
    assert (result.status, result.reason in FOREIGN) == (Status.OK, False), result.message


@pytest.mark.parametrize("name", EITHER)
def test_refused_or_answered(classifier: Classifier, name: str) -> None:
    result = classifier.predict(EITHER[name]())
    assert is_sound(result)
    assert result.status is Status.OK or result.reason in FOREIGN | {Reason.TOO_SMALL}


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.full((300, 300), 90, np.uint8), Reason.BLANK),
        (np.zeros((300, 300), np.uint8), Reason.BLANK),
        (CHEST[:20, :20], Reason.TOO_SMALL),
        (CHEST[:1, :1], Reason.TOO_SMALL),
        (CHEST[:, :31], Reason.TOO_SMALL),
    ],
)
def test_refused_before_the_graph(classifier: Classifier, pixels: Pixels, reason: Reason) -> None:
    result = classifier.predict(np.ascontiguousarray(pixels))
    assert (result.status, result.reason) == (Status.REFUSED, reason)


def test_what_is_no_ct_is_refused(classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    strangers = [draw_picture(seed=seed, size=200) for seed in range(6)]
    strangers += [rng.integers(0, 256, (200, 150), np.uint8)]
    results = list(classifier.predict_many(strangers))
    assert all(is_sound(result) for result in results)
    assert sum(result.reason in FOREIGN for result in results) >= 6


def test_the_gate_is_in_both_graphs(bundle: Path) -> None:
    """Both give the same logits: the gate stays in float."""
    seen = [
        Session((bundle / name).read_bytes()).run(CHEST[None]) for name in ("model.onnx", "model.int8.onnx")
    ]
    assert seen[0].gate is not None and seen[1].gate is not None  # noqa: PT018
    assert seen[0].gate.shape == (1, 5)
    np.testing.assert_allclose(seen[0].gate, seen[1].gate, atol=1e-3)
    assert seen[0].lung is not None
    # The share of lung of the phantom, roughly: the finder learnt for seconds.
    assert abs(float(seen[0].lung[0]) - DRAWN.lung_mask.mean()) < 0.2
    assert (bundle / "model.int8.onnx").stat().st_size < 5e6


def test_the_command_counts_what_is_refused(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    rows = manifest.path.read_text().splitlines()
    folder = manifest.path.parent
    write_png(folder / "photo.png", draw_picture(seed=40, size=128))
    data = folder / "with-photo.csv"
    data.write_text("\n".join([*rows, "photo.png,ood,ood-photo,,,"]) + "\n")
    document = tmp_path / "gate.json"
    done = CliRunner().invoke(main, ["gate", str(bundle), "--data", str(data), "--json", str(document)])
    assert done.exit_code == 0, done.output
    assert "ood-photo" in done.output
    assert "all others" in done.output
    figures = {(entry["what"], entry["source"]): entry for entry in json.loads(document.read_text())}
    photo = figures["not_ct", "ood-photo"]
    assert photo["refused"]["n"] == 1
    assert photo["refused"]["value"] == sum(photo["by"].values())


def test_a_model_without_a_gate_has_nothing_to_measure(tiny_bundle: Path, manifest: Manifest) -> None:
    done = CliRunner().invoke(main, ["gate", str(tiny_bundle), "--data", str(manifest.path)])
    assert done.exit_code == 2
    assert "has no gate to measure" in done.output
