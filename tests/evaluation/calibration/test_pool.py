from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from covidct.data.manifest import Manifest, Row
from covidct.data.recipe import Phase, Recipe
from covidct.data.teaching import Teaching
from covidct.errors import ManifestError
from covidct.evaluation.calibration.fit import Slices
from covidct.evaluation.calibration.pool import calibrate_pool, carry, read_pool
from covidct.evaluation.calibration.weights import to_pool_weights
from covidct.types import Opacity

RECIPE = Recipe(name="opacity", network="opacity_net", phases=(Phase("upper", 1, 1e-3, frozen_blocks=7),))


def make_pool(*, count: int = 40, shift: float = 0.0, sources: tuple[str, ...] = ("a", "b", "c")) -> Slices:
    """Sources of growing size; in the last all logits lie `shift` higher."""
    rng = np.random.default_rng(1)
    parts = []
    for number, name in enumerate(sources):
        n = count * (number + 1)
        labels = np.arange(n) % 2
        logits = rng.normal(size=n) + 4.0 * labels - 2.0 + (shift if name == sources[-1] else 0.0)
        patients = [f"{name}-{at // 4}-{label}" for at, label in enumerate(labels)]
        parts.append(Slices(logits, labels.astype(np.int64), [name] * n, patients))
    return Slices(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.labels for part in parts]),
        [name for part in parts for name in part.sources],
        [name for part in parts for name in part.patients],
    )


def test_sources_and_labels_weigh_alike() -> None:
    pool = make_pool()
    weights, names = to_pool_weights(pool), np.array(pool.sources)
    assert weights.sum() == pytest.approx(1)
    for name in "abc":
        for label in (0, 1):
            assert weights[(names == name) & (pool.labels == label)].sum() == pytest.approx(1 / 6)


def test_sets_hold_what_they_were_asked_to() -> None:
    scale, (balanced, sensitive) = calibrate_pool(make_pool())
    assert scale.temperature > 0
    assert balanced.coverage[0] >= 0.9
    assert balanced.coverage[1] >= 0.9
    assert sensitive.sensitivity >= 0.95
    assert balanced.band[0] <= balanced.threshold <= balanced.band[1]


def test_more_of_the_others_may_be_missed_so_that_less_is_undecided() -> None:
    pool = make_pool()
    # So much noise that either label is often plausible.
    noise = np.random.default_rng(0).normal(0, 4, pool.logits.size)
    pool = replace(pool, logits=pool.logits + noise)
    (_, (strict, _)), (_, (loose, sensitive)) = (
        calibrate_pool(pool, alpha=alpha) for alpha in ((0.1, 0.1), (0.1, 0.3))
    )
    assert loose.band[0] == strict.band[0]
    assert loose.band[1] < strict.band[1]
    assert 0.7 <= loose.coverage[1] < strict.coverage[1]
    assert sensitive.alpha == (0.05, 0.3)


def test_classes_far_apart_leave_nothing_undecided() -> None:
    pool = make_pool()
    sure = replace(pool, logits=np.where(pool.labels == 1, 9.0, -9.0))
    _, (balanced, _) = calibrate_pool(sure)
    assert balanced.band[0] == balanced.band[1] == balanced.threshold
    assert balanced.sensitivity == balanced.specificity == 1


def test_a_source_of_one_label_is_judged_by_what_it_has() -> None:
    pool = make_pool()
    one_sided = pool.choose((np.array(pool.sources) != "a") | (pool.labels == 0))
    (found, *_) = carry(one_sided)
    assert (found.source, found.slices, found.accuracy, found.coverage[0]) == ("a", (0, 20), None, None)


def test_without_a_source_that_is_needed_the_others_say_nothing() -> None:
    assert carry(make_pool(sources=("a", "b"))) == ()


def test_each_source_is_judged_by_the_others() -> None:
    found = {one.source: one for one in carry(make_pool(shift=3.0))}
    assert list(found) == ["a", "b", "c"]
    assert found["c"].slices == (60, 60)
    # Higher logits in one source: its negatives are taken for positive.
    held = found["c"].coverage
    assert held[0] is not None
    assert held[1] is not None
    assert held[0] > 0.95 > 0.7 > held[1]


def write_trial(
    folder: Path, left_out: str, rows: list[Row], *, digest: str = "d", more: dict[str, str] | None = None
) -> None:
    place = folder / left_out / "opacity" / "seed-2020"
    place.mkdir(parents=True)
    record = {"left_out": left_out, "recipe": {"name": "opacity", "seed": 2020}, "manifest_sha256": digest}
    (place / "trial.json").write_text(json.dumps(record), encoding="utf-8")
    for name in ("scores.csv", "home.csv"):
        with (place / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", "patient", "logit", "extent", *(more or ())))
            for at, row in enumerate(rows):
                extent = 0.0 if row.finding == "belly" else 0.1
                writer.writerow(
                    (
                        row.path.name,
                        int(row.label == "covid"),
                        row.patient_id,
                        at,
                        extent,
                        *(more or {}).values(),
                    )
                )


def make_rows(source: str) -> list[Row]:
    told = (("covid", "moderate"), ("covid", "mild"), ("non-covid", ""), ("non-covid", "belly"))
    return [
        Row(Path(f"/data/{source}-{at}.png"), label, source, f"{source}-p{at}", "", "", finding=finding)
        for at, (label, finding) in enumerate(told)
    ]


def test_reading(tmp_path: Path) -> None:
    recipe = replace(RECIPE, teaching=Teaching(doubt=(("north", "mild", 0.5), ("south", "mild", 0.4))))
    rows = {source: make_rows(source) for source in ("north", "south")}
    manifest = Manifest(Path("/data/manifest.csv"), "d", tuple(row for own in rows.values() for row in own))
    for source, own in rows.items():
        write_trial(tmp_path, source, own)
    pool = read_pool(tmp_path, recipe, manifest)
    slices = pool.slices.answers
    # A label too much in doubt says nothing of its slice, and a slice without lungs gets no answer.
    assert slices.sources == ["north", "north", "south", "south", "south"]
    assert slices.labels.tolist() == [1, 0, 1, 1, 0]
    # These trials are of a graph that asks one question.
    assert pool.slices.opacities == ()
    # A figure stands for its series where its label is not in doubt.
    assert list(zip(pool.series.answers.sources, pool.series.answers.labels.tolist(), strict=True)) == [
        ("north", 1),
        ("north", 0),
        ("south", 1),
        ("south", 0),
    ]


def test_what_a_graph_of_two_questions_said_is_read(tmp_path: Path) -> None:
    manifest = Manifest(
        Path("/data/manifest.csv"), "d", tuple(row for name in ("north", "south") for row in make_rows(name))
    )
    for name in ("north", "south"):
        write_trial(tmp_path, name, make_rows(name), more={"opacity": "1.5", "typical": "-0.5"})
    pool = read_pool(tmp_path, RECIPE, manifest)
    assert set(pool.slices.opacities) == {Opacity(1.5, -0.5, 0.1)}
    assert len(pool.slices.opacities) == len(pool.slices.answers.labels) == 6
    assert len(pool.series.opacities) == len(pool.series.kinds) == 6


def test_one_source_is_no_pool(tmp_path: Path) -> None:
    rows = make_rows("north")
    write_trial(tmp_path, "north", rows)
    with pytest.raises(ManifestError, match="fewer than 2 sources"):
        read_pool(tmp_path, RECIPE, Manifest(Path("/data/manifest.csv"), "d", tuple(rows)))


def test_another_manifest_is_refused(tmp_path: Path) -> None:
    rows = make_rows("north")
    write_trial(tmp_path, "north", rows)
    with pytest.raises(ManifestError, match="another manifest"):
        read_pool(tmp_path, RECIPE, Manifest(Path("/data/manifest.csv"), "e", tuple(rows)))
