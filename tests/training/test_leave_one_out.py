from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from covidct.apps.cli.commands.benchmark import write_standings
from covidct.apps.cli.main import main
from covidct.data.lock import make_lock, read_lock, write_lock
from covidct.data.manifest import read_manifest, write_manifest
from covidct.data.recipe import Recipe
from covidct.errors import AuditError, ManifestError, PretrainedError, RecipeError
from covidct.evaluation.leave_one_out.trials import read_trials
from covidct.training import leave_one_out as module
from covidct.training.fit_lung_finder import save_finder
from covidct.training.leave_one_out import Benchmark, choose_left_out, find_shared_finder, run_benchmark
from covidct.training.networks.lung_finder import LungFinder
from covidct.training.trial import Setting, plan_trial, run_trial
from training import tiny_recipe as mobilenet_recipe
from training import write_lungs, write_phantoms

RECIPE = """
name = "tiny"
network = "six_layers"
pretrained = false
size = 64
batch = 4
[data]
tune = 0.3
calibrate = 0.2
[[phases]]
name = "unfrozen"
epochs = 1
rate = 1e-3
"""


def tiny_recipe() -> Recipe:
    """One epoch of the six layers, whose export takes a second."""
    recipe = mobilenet_recipe()
    return replace(recipe, network="six_layers", size=64, phases=recipe.phases[1:])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("slices"))


def make(manifest: Path, out: Path, **changes: object) -> Benchmark:
    """Two seeds of the tiny recipe, without `north`."""
    setting = Setting(read_manifest(manifest), out, accept="phantoms")
    return replace(Benchmark((tiny_recipe(),), ("north",), setting, seeds=2), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def out(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole benchmark on phantoms, through the command."""
    out = tmp_path_factory.mktemp("benchmark")
    recipe = out.parent / "tiny.toml"
    recipe.write_text(RECIPE)
    arguments = ["benchmark", str(recipe), "--leave-one-source-out", "--data", str(manifest), "--seeds", "2"]
    left_out = ["--left-out", "north", "--left-out", "south"]
    done = CliRunner().invoke(main, [*arguments, *left_out, "--out", str(out), "--accept", "phantoms"])
    assert done.exit_code == 0, done.output
    assert "trial 4 of 4: tiny without south, seed 2021" in done.stderr
    return out


def test_every_labelled_slice_of_the_source_is_scored_and_no_other(out: Path, manifest: Path) -> None:
    for left_out in ("north", "south"):
        wanted = [row for row in read_manifest(manifest).rows if row.source == left_out]
        for seed in (2020, 2021):
            with (out / left_out / "tiny" / f"seed-{seed}" / "scores.csv").open() as file:
                lines = list(csv.DictReader(file))
            assert [line["path"] for line in lines] == [row.path.name for row in wanted]
            assert [line["label"] == "1" for line in lines] == [row.label == "covid" for row in wanted]
            assert {line["patient"] for line in lines} == {f"{left_out}/{row.patient_id}" for row in wanted}
            assert all(abs(float(line["logit"])) < 100 for line in lines)


def test_the_seed_of_the_recipe_changes_and_that_of_the_split_stays(out: Path) -> None:
    one, two = (kept for kept in read_trials(out) if kept.left_out == "north")
    assert (one.seed, two.seed) == (2020, 2021)
    assert one.record["recipe"]["data"] == two.record["recipe"]["data"]
    assert one.home.paths == two.home.paths
    assert set(one.home.sources) == {"south"}
    assert one.external.logits.tolist() != two.external.logits.tolist()


def test_the_table_is_written_thrice_and_drawn(out: Path) -> None:
    document = json.loads((out / "benchmark.json").read_text())
    assert [(row["left_out"], row["slices"], row["positives"]) for row in document["rows"]] == [
        ("north", 24, 12),
        ("south", 24, 12),
    ]
    assert set(document["floors"]) == {"north", "south"}
    assert "| north | tiny | 24 | 12 |" in (out / "benchmark.md").read_text()
    assert (out / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(
        main, ["benchmark", "--leave-one-source-out", "--table-only", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "Without south: 24 slices, 12 with COVID-19" in done.stdout
    assert "lungs blacked out" in done.stdout
    assert json.loads((out / "benchmark.json").read_text()) == document


def test_what_is_done_is_not_trained_again(
    out: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("covidct.training.trial.fit", never)
    recipe = str(out.parent / "tiny.toml")
    arguments = ["benchmark", recipe, "--leave-one-source-out", "--data", str(manifest), "--seeds", "2"]
    more = ["--left-out", "north", "--out", str(out), "--accept", "said otherwise"]
    done = CliRunner().invoke(main, [*arguments, *more])
    assert done.exit_code == 0, done.output


def test_training_never_reads_the_source_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_phantoms(tmp_path)
    for path in tmp_path.glob("north-*.png"):
        path.write_bytes(b"no picture")
    benchmark = make(manifest, tmp_path / "out", seeds=1)
    with pytest.raises(ManifestError, match=r"north-0-0\.png"):
        run_benchmark(benchmark, lambda _: None)
    trial = plan_trial(tiny_recipe(), "north", 2020, benchmark.setting)
    # Trained, exported and scored at home; only then the damaged slices are come upon.
    assert {path.name for path in trial.folder.iterdir()} >= {"best.safetensors", "model.onnx", "home.csv"}
    assert not (trial.folder / "scores.csv").exists()


def test_an_interrupted_training_goes_on(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(read_manifest(manifest), tmp_path / "broken", accept="phantoms")
    trial = plan_trial(tiny_recipe(), "north", 2020, setting)
    with monkeypatch.context() as patch:
        patch.setattr("covidct.training.trial.export_float", _break_off)
        with pytest.raises(KeyboardInterrupt):
            run_trial(trial, setting)
    checkpoint = (trial.folder / "checkpoint.pt").read_bytes()
    run_trial(trial, setting)
    assert (trial.folder / "checkpoint.pt").read_bytes() == checkpoint
    assert (trial.folder / "scores.csv").is_file()


def test_a_locked_test_split_records_that_it_was_measured_on(manifest: Path, tmp_path: Path) -> None:
    rows = [
        replace(row, split="test" if row.source == "north" else "") for row in read_manifest(manifest).rows
    ]
    write_manifest(rows, tmp_path / "locked.csv")
    locked = read_manifest(tmp_path / "locked.csv")
    write_lock(make_lock(locked))
    setting = Setting(locked, tmp_path / "out")
    run_trial(plan_trial(tiny_recipe(), "north", 2020, setting), setting)
    lock = read_lock(locked.path)
    assert lock is not None
    (use,) = lock.uses
    assert (use.model, use.version) == ("tiny without north", "seed 2020")


def _break_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_with_another_trial_is_not_taken_for_this_one(out: Path, manifest: Path) -> None:
    setting = Setting(read_manifest(manifest), out)
    trial = plan_trial(replace(tiny_recipe(), batch=6), "north", 2020, setting)
    with pytest.raises(RecipeError, match=r"another recipe; choose another --out"):
        run_trial(trial, setting)


def test_an_unknown_source_and_one_that_cannot_be_missed(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"has no source moon; it has north, south"):
        run_benchmark(make(manifest, tmp_path, left_out=("moon",)), print)
    rows = [row for row in read_manifest(manifest).rows if row.source == "north" or row.label == "non-covid"]
    write_manifest(rows, tmp_path / "lame.csv")
    with pytest.raises(ManifestError, match=r"without north .* do not have both labels"):
        run_benchmark(make(tmp_path / "lame.csv", tmp_path / "out"), print)
    with pytest.raises(ManifestError, match=r"no row has a label"):
        run_benchmark(make(tmp_path / "lame.csv", tmp_path / "out", recipes=(_only_odd_labels(),)), print)


def _only_odd_labels() -> Recipe:
    recipe = tiny_recipe()
    return replace(recipe, data=replace(recipe.data, positive=("yes",), negative=("no",)))


def test_a_source_with_one_label_has_no_auc_but_a_specificity(manifest: Path, tmp_path: Path) -> None:
    rows = [row for row in read_manifest(manifest).rows if row.source == "north" or row.label == "non-covid"]
    write_manifest(rows, tmp_path / "one.csv")
    run_benchmark(make(tmp_path / "one.csv", tmp_path / "out", left_out=("south",), seeds=1), lambda _: None)
    table = write_standings(tmp_path / "out")
    assert "Without south: 12 slices, 0 with COVID-19" in table
    row = json.loads((tmp_path / "out" / "benchmark.json").read_text())["rows"][0]
    assert row["metrics"]["auc"]["reason"] == "undefined: no COVID-19 slices"
    assert row["metrics"]["specificity"]["n"] == 12


def test_by_default_sources_with_ten_patients_of_each_label(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = (tiny_recipe(),)
    with pytest.raises(ManifestError, match=r"no source has 10 patients.*--left-out"):
        choose_left_out(read_manifest(manifest), recipes)
    monkeypatch.setattr(module, "PATIENTS", 6)
    assert choose_left_out(read_manifest(manifest), recipes) == ("north", "south")


def test_nothing_is_trained_where_the_audit_fails_and_nobody_says_why(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_manifest(manifest).rows
    # West has the positives and south the others.
    spoilt = [
        replace(row, source="west") if (row.source, row.label) == ("south", "covid") else row for row in rows
    ]
    write_manifest(spoilt, tmp_path / "spoilt.csv")
    benchmark = make(tmp_path / "spoilt.csv", tmp_path / "out")
    silent = replace(benchmark, setting=replace(benchmark.setting, accept=""))
    with pytest.raises(AuditError, match=r"without north: the audit fails \(.*audit-tiny\.html.*--accept"):
        run_benchmark(silent, print)
    assert {path.name for path in (tmp_path / "out").rglob("*")} == {
        "north",
        "audit-tiny.html",
        "audit-tiny.json",
    }
    # Once mended, the data are audited anew, and training goes on.
    monkeypatch.setattr("covidct.training.trial.export_float", _break_off)
    mended = replace(silent, setting=replace(silent.setting, manifest=read_manifest(manifest)))
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(mended, lambda _: None)
    with pytest.raises(RecipeError, match="holds a benchmark of another manifest"):
        run_benchmark(benchmark, lambda _: None)


def test_two_recipes_of_one_name_are_refused(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="two recipes are named tiny"):
        run_benchmark(make(manifest, tmp_path, recipes=(tiny_recipe(), tiny_recipe())), print)


def lung_recipe() -> Recipe:
    return replace(mobilenet_recipe(), name="lung", network="lung_net", size=64, finder_steps=2)


def test_the_lung_finder_never_sees_the_masks_of_the_source(tmp_path: Path) -> None:
    manifest = write_lungs(tmp_path)
    for path in (tmp_path / "lung").glob("north-*.png"):
        path.write_bytes(b"no picture")
    benchmark = make(manifest, tmp_path / "out", recipes=(lung_recipe(),))
    assert find_shared_finder(benchmark, lung_recipe(), "north") == tmp_path / "out/north/finder.safetensors"
    with pytest.raises(ManifestError, match=r"lung/north-0-0\.png"):
        find_shared_finder(benchmark, lung_recipe(), "south")
    assert find_shared_finder(benchmark, tiny_recipe(), "south") is None


def test_seeds_share_a_lung_finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.training.trial.export_float", _break_off)
    manifest = write_lungs(tmp_path)
    benchmark = make(manifest, tmp_path / "out", recipes=(lung_recipe(),))
    shared = find_shared_finder(benchmark, lung_recipe(), "north")
    assert shared is not None
    for seed in (2020, 2021):
        trial = plan_trial(lung_recipe(), "north", seed, benchmark.setting)
        with pytest.raises(KeyboardInterrupt):
            run_trial(trial, benchmark.setting, finder=shared)
        assert (trial.folder / "finder.safetensors").read_bytes() == shared.read_bytes()


def test_a_lung_finder_may_be_brought_but_not_exchanged(manifest: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name in ("one", "two"):
        save_finder(LungFinder(), tmp_path / f"{name}.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    brought = make(manifest, tmp_path / "out", finder=tmp_path / "one.safetensors")
    kept = find_shared_finder(brought, lung_recipe(), "north")
    assert kept is not None
    assert kept.read_bytes() == (tmp_path / "one.safetensors").read_bytes()
    for name, error, words in (
        ("two", RecipeError, "another lung finder"),
        ("broken", PretrainedError, "holds no lung finder"),
    ):
        other = replace(brought, finder=tmp_path / f"{name}.safetensors")
        with pytest.raises(error, match=words):
            find_shared_finder(other, lung_recipe(), "north")


def test_no_data_no_recipe_no_trial(out: Path, manifest: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    base = ["benchmark", "--leave-one-source-out", "--out", str(tmp_path)]
    environment = {"COVIDCT_MANIFEST": "", "COVIDCT_PRETRAINED": ""}
    done = run(main, base, env=environment)
    assert (done.exit_code, "--data is needed" in done.output) == (2, True)
    done = run(main, [*base, "--data", str(manifest)], env=environment)
    assert (done.exit_code, "no recipe: name at least one" in done.output) == (2, True)
    done = run(main, [*base, "--table-only"], env=environment)
    assert (done.exit_code, "holds no finished trial" in done.output) == (2, True)
