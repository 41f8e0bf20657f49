from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from covidct.data.manifest import Row, read_manifest
from covidct.data.recipe import Gating
from covidct.errors import ManifestError, PretrainedError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.gate import to_odds
from covidct.training.gate.examples import Exhibits, draw_views, read_exhibits, read_stranger
from covidct.training.gate.fit_gate import (
    Described,
    choose_limits,
    describe_pictures,
    describe_views,
    fit_head,
    load_gate,
    save_gate,
)
from covidct.training.gate.ood_pictures import DRAWS, draw_stranger, shuffle_slice
from covidct.training.gate.reformats import draw_radiograph, draw_reformat, stack_rows
from covidct.training.networks.gate_head import CLASSES, DESCRIBED, GateHead
from covidct.training.networks.lung_finder import LungFinder
from covidct.types import Pixels, Reason
from makers import write_dicom, write_png
from training import write_phantoms

CHEST = to_display(draw_phantom(Phantom.NORMAL, seed=3, size=96))
VOLUME = np.stack([CHEST] * 20)


@pytest.fixture(scope="module")
def finder() -> LungFinder:
    torch.manual_seed(0)
    return LungFinder().eval()


def exhibits() -> Exhibits:
    pixels = np.stack([to_display(draw_phantom(Phantom.NORMAL, seed=seed, size=160)) for seed in range(6)])
    rows = tuple(Row(Path(f"{at}.png"), "", "north", "", "", "") for at in range(6))
    return Exhibits(pixels, ("chest",) * 6, ("north",) * 6, rows, (VOLUME,))


@pytest.mark.parametrize("reason", list(DRAWS))
def test_strangers_are_pictures(reason: Reason) -> None:
    for seed in range(25):
        pixels = draw_stranger(reason, np.random.default_rng(seed), size=64)
        assert pixels.shape == (64, 64)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, draw_stranger(reason, np.random.default_rng(seed), size=64))


def test_a_shuffled_slice_is_another_picture() -> None:
    for seed in range(12):
        assert not np.array_equal(shuffle_slice(CHEST, np.random.default_rng(seed)), CHEST)


def test_views_of_a_volume() -> None:
    for seed in range(8):
        for draw in (draw_reformat, draw_radiograph):
            view = draw(VOLUME, np.random.default_rng(seed), size=64)
            assert view.shape == (64, 64)
            assert view.dtype == np.uint8
            assert view.std() > 5


def test_neighbours_make_a_volume_and_strangers_none() -> None:
    rows = [Row(Path(f"a/{at}.png"), "", "north", "one", "", "") for at in (2, 10, 1)] * 5
    rising = [np.clip(CHEST.astype(np.int64) + at, 0, 255).astype(np.uint8) for at in range(15)]
    (volume,) = stack_rows(rows, rising)
    assert volume.shape == (15, 96, 96)
    rng = np.random.default_rng(0)
    noise: list[Pixels] = [rng.integers(0, 256, (96, 96), np.uint8) for _ in range(15)]
    assert stack_rows(rows, noise) == []
    assert stack_rows(rows[:11], rising[:11]) == []


def test_slices_are_stacked_by_number() -> None:
    rows = [Row(Path(f"a/{at}.png"), "", "north", "one", "", "") for at in range(15, 0, -1)]
    marked = [np.clip(CHEST // 2 + at, 0, 255).astype(np.uint8) for at in range(15, 0, -1)]
    (volume,) = stack_rows(rows, marked)
    assert np.diff(volume[:, 0, 0].astype(int)).tolist() == [1] * 14


def test_a_view_depends_on_its_number_alone() -> None:
    one, other = (list(draw_views(exhibits(), count=12, seed=4)) for _ in range(2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))
    assert {view.label for view in draw_views(exhibits(), count=60, seed=4)} == set(range(len(CLASSES)))


def test_what_rows_mean(tmp_path: Path, finder: LungFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    chests = read_manifest(write_phantoms(tmp_path, patients=1)).rows
    (tmp_path / "notes.md").write_text("no picture")
    others = [
        Row(write_png(tmp_path / "photo.png", CHEST), "ood", "ood-photo", "", "", ""),
        Row(write_png(tmp_path / "low.png", CHEST), "", "levels", "", "", ""),
        Row(write_png(tmp_path / "else.png", CHEST), "", "elsewhere", "", "", ""),
        Row(tmp_path / "notes.md", "", "levels", "", "", ""),
    ]
    lungs = np.array([0.3] * (len(chests) - 1) + [0.0, 0.5, 0.0], np.float32)
    monkeypatch.setattr("covidct.training.gate.examples.measure_lungs", lambda *_: lungs)
    found = read_exhibits(chests, others, Gating(not_ct=("ood-photo",), levels=("levels",)), finder)
    counts: Mapping[str, int] = {name: found.classes.count(name) for name in set(found.classes)}
    assert counts == {"chest": len(chests) - 1, Reason.NOT_CT: 1, Reason.NOT_CHEST: 1}


def test_headers_are_not_asked(tmp_path: Path) -> None:
    hu = draw_phantom(Phantom.NORMAL, seed=1, size=64)
    path = write_dicom(tmp_path / "1.dcm", hu, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    row = Row(path, "ood", "ood-ct-nonaxial", "", "", "")
    np.testing.assert_array_equal(read_stranger(row), to_display(np.clip(hu, -1024, 3071)))
    magnetic = write_dicom(tmp_path / "2.dcm", hu, Modality="MR")
    pixels = read_stranger(Row(magnetic, "ood", "ood-othermri", "", "", ""))
    assert (pixels.min(), pixels.max()) == (0, 255)
    (tmp_path / "3.png").write_bytes(b"nothing")
    with pytest.raises(ManifestError, match="repair the file"):
        read_stranger(Row(tmp_path / "3.png", "", "", "", "", ""))


def test_it_learns_and_comes_back(finder: LungFinder, tmp_path: Path) -> None:
    """Classes that differ by a few numbers are told apart, after exhibits left out as well."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(len(CLASSES), (1200,), generator=rng)
    descriptions = torch.randn((1200, DESCRIBED), generator=rng)
    for column in range(60):
        descriptions[torch.arange(1200), len(CLASSES) * column + labels] += 3
    left_out = np.where(np.arange(1200) < 1000, -1, 7)
    gate = fit_head(Described(descriptions, labels, left_out), seed=0, without=[7])
    with torch.inference_mode():
        logits = gate.classify(descriptions[1000:])
    assert (logits.argmax(1) == labels[1000:]).float().mean() > 0.9
    save_gate(gate, tmp_path / "gate.safetensors")
    again = load_gate(tmp_path / "gate.safetensors")
    with torch.inference_mode():
        assert torch.equal(again.classify(descriptions[1000:]), logits)


def test_views_are_described_as_the_graph_does(finder: LungFinder) -> None:
    described = describe_views(exhibits(), finder, count=70, seed=0)
    assert described.descriptions.shape == (70, DESCRIBED)
    assert set(described.exhibits) <= {-1, *range(6)}
    gate = GateHead().eval()
    with torch.inference_mode():
        seen, features = finder.look(torch.from_numpy(CHEST[None]))
        torch.testing.assert_close(
            gate(features, torch.sigmoid(seen)), gate.classify(describe_pictures(finder, CHEST[None]))
        )


def test_other_weights_are_no_gate(tmp_path: Path) -> None:
    path = tmp_path / "gate.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(PretrainedError, match="holds no gate"):
        load_gate(path)


def test_the_head_is_small() -> None:
    assert sum(weight.numel() for weight in GateHead().parameters()) < 70_000


def test_limits_let_real_slices_through() -> None:
    """One of a hundred may go; without lung in view none counts; none is refused that is likely a chest."""
    logits = np.zeros((201, 5), np.float32)
    logits[:, 0] = 9
    lungs = np.full(201, 0.3, np.float32)
    assert choose_limits(logits, lungs).min_chest == 0
    logits[0, 0], logits[1, 0], logits[150, 0] = -9, -2, -5
    limits = choose_limits(logits, lungs)
    refused = [to_odds(row) < limits.min_chest for row in logits]
    assert np.flatnonzero(refused).tolist() == [0]
    lungs[0] = 0
    assert choose_limits(logits, lungs).min_chest > limits.min_chest
    few = choose_limits(logits[:50], lungs[:50])
    assert not any(to_odds(row) < few.min_chest for row in logits[1:50])
    assert choose_limits(logits, np.zeros_like(lungs)).min_chest == 0
