from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bundles import CONFIG_TABLE
from covidct import Classifier
from covidct.apps.cli.commands.info import to_short_card
from covidct.apps.cli.main import main
from covidct.inference.bundle import CARD, GRAPHS, REFERENCE, SUMS, load_bundle
from covidct.inference.config import CONFIG, Site
from covidct.types import DISCLAIMER
from figures.hospitals import SHOWN, write_home_bundle, write_hospital
from figures.predictions import predicted
from makers import write_png


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home_bundle(tmp_path_factory.mktemp("home") / "bundle")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slices brighter than at home, and some that must not count."""
    folder = tmp_path_factory.mktemp("hospital")
    for name in ("unlabelled", "odd", "kept"):
        write_png(folder / f"{name}.png", SHOWN)
    write_png(folder / "small.png", SHOWN[:20, :20])
    write_png(folder / "blank.png", np.full((64, 64), 90, np.uint8))
    (folder / "broken.png").write_bytes(b"no picture")
    more = (
        "unlabelled.png,,ward,p1,",
        "odd.png,maybe,ward,p1,",
        "kept.png,covid,ward,p99,test",
        "small.png,covid,ward,p98,",
        "blank.png,non-covid,ward,p97,",
        "broken.png,covid,ward,p96,",
    )
    return write_hospital(folder, more=more)


def call(bundle: Path, manifest: Path, out: Path, *options: str) -> Result:
    given = ["calibrate", str(bundle), "--data", str(manifest), "--out", str(out), *options]
    return CliRunner().invoke(main, given)


@pytest.fixture(scope="module")
def done(bundle: Path, hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("calibrated") / "deep" / "new"
    return out, call(bundle, hospital, out, "--site", "ward.7")


def test_a_calibrated_bundle_answers_otherwise_and_says_so(
    bundle: Path, hospital: Path, done: tuple[Path, Result]
) -> None:
    out, result = done
    assert result.exit_code == 0, result.output
    before, after = Classifier.load(bundle), Classifier.load(out)
    plain = [hospital.parent / f"{number}.png" for number in range(48)]
    ill = np.array([number // 2 % 2 for number in range(48)]) == 1
    old, new = list(before.predict_many(plain)), list(after.predict_many(plain))
    assert {one.model.name for one in new} == {"tiny-1.2.3+ward.7"}
    assert [predicted(one).logit for one in new] == [predicted(one).logit for one in old]
    called = [
        np.array([one.probability for one in some]) >= classifier.operating_point.threshold
        for some, classifier in ((old, before), (new, after))
    ]
    assert called[0][~ill].mean() > 0.7
    assert called[1][~ill].mean() < 0.3
    assert called[1][ill].mean() > 0.7


def test_all_but_configuration_card_and_sums_is_byte_for_byte(
    bundle: Path, done: tuple[Path, Result]
) -> None:
    out, _ = done
    assert {path.name for path in out.iterdir()} == {path.name for path in bundle.iterdir()}
    assert not [path for path in out.parent.iterdir() if path != out]
    for name in (*GRAPHS.values(), REFERENCE):
        assert (out / name).read_bytes() == (bundle / name).read_bytes()
    assert (out / SUMS).read_bytes() != (bundle / SUMS).read_bytes()
    old, new = (json.loads((folder / CONFIG).read_text()) for folder in (bundle, out))
    changed = {name for name in new if new[name] != old.get(name)}
    assert changed == {"version", "temperature", "shift", "operating_points", "site"}


def test_the_configuration_records_what_it_was_calibrated_on(
    bundle: Path, hospital: Path, done: tuple[Path, Result]
) -> None:
    from hashlib import sha256

    site = json.loads((done[0] / CONFIG).read_text())["site"]
    assert site["manifest_digest"] == sha256(hospital.read_bytes()).hexdigest()
    assert site["made_from"] == {
        "name": "tiny",
        "version": "1.2.3",
        "sha256": sha256((bundle / SUMS).read_bytes()).hexdigest(),
    }
    assert site["before"]["temperature"] == CONFIG_TABLE["temperature"]
    assert site["figures"]["slices"] == [24, 24]
    assert site["figures"]["patients"] == [12, 12]
    assert site["left_out"] == {
        "without a label": 1,
        "labelled 'maybe'": 1,
        "in split test": 1,
        "refused as too_small": 1,
        "refused as blank": 1,
        "not read": 1,
    }
    assert (site["without_ids"], site["taught"], site["accepted"]) == (0, [], "")
    assert str(hospital.parent) not in json.dumps(site)


def test_the_points_say_what_the_folds_measured(done: tuple[Path, Result]) -> None:
    config = load_bundle(done[0]).config
    site = json.loads((done[0] / CONFIG).read_text())["site"]
    assert config.site == Site(site["name"], site["day"])
    figures = site["figures"]["after"]["points"]
    for point in config.operating_points:
        assert point.sensitivity == figures[point.name]["sensitivity"]["value"]
        assert point.coverage[1] == figures[point.name]["coverage_negative"]["value"]
    assert "    balanced        " in to_short_card(load_bundle(done[0]))
    assert "in the site's folds" in to_short_card(load_bundle(done[0]))
    assert "  calibrated   for ward.7, 2" in to_short_card(load_bundle(done[0]))


def test_the_report(done: tuple[Path, Result]) -> None:
    out, result = done
    shown = result.stdout
    assert "24 slices with COVID-19 of 12 patients, 24 without of 12; sources: ward." in shown
    assert "Left out: 1 without a label, 1 labelled 'maybe', 1 in split test," in shown
    assert "ECE" in shown
    assert "high_sensitivity: indeterminate" in shown
    assert "Probabilities are better: Brier score -0." in shown
    assert re.search(r"Calls at the threshold of balanced are .*\bsensitivity\s+from \d", shown, re.DOTALL)
    assert "name no source" not in shown
    assert "With fewer than 19 patients with COVID-19, high_sensitivity never rules COVID-19 out." in shown
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "not read: " in result.stderr
    assert "broken.png" in result.stderr
    assert result.stderr.endswith(f"The bundle is {out}.\n{DISCLAIMER}\n")


def test_the_card_says_which_figures_count(bundle: Path, done: tuple[Path, Result]) -> None:
    old, new = ((folder / CARD).read_text(encoding="utf-8") for folder in (bundle, done[0]))
    lines = new.splitlines()
    assert lines[0] == "# tiny 1.2.3+ward.7"
    assert lines[2].startswith("**Calibrated for a site (`ward.7`)")
    assert old.partition("\n")[2].strip() in new
    section = new.partition("## Calibrated for a site: ward.7")[2]
    assert "**All figures above were measured with the original calibration**" in section
    assert "| ECE | " in section


def test_patients_without_ids_and_sources_of_training_are_told(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h", patients=100, source="home")
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], *(line.rsplit(",", 2)[0] for line in lines[1:])]))
    result = call(bundle, manifest, tmp_path / "out", "--accept", "a test")
    assert result.exit_code == 0, result.output
    shown = result.stdout.replace("\n  ", " ")
    assert "100 slices with COVID-19 of 10 patients, 100 without of 10" in shown
    assert (
        "200 slices have no patient id: ten slices with neighbouring numbers stand in for a patient" in shown
    )
    assert "Warning: the model may have learned from these slices (home)" in shown
    card = (tmp_path / "out" / CARD).read_text()
    assert "200 slices have no patient id" in card
    assert "may have learned from these slices (home)" in card


def test_no_better_is_not_written_unless_accepted(
    tmp_path: Path, done: tuple[Path, Result], hospital: Path
) -> None:
    """What was calibrated here already gains nothing: the same numbers, at home elsewhere."""
    table = json.loads((done[0] / CONFIG).read_text())
    home = write_home_bundle(tmp_path / "home")
    from covidct.inference.bundle import write_sums

    own = {name: table[name] for name in ("temperature", "shift", "operating_points")}
    (home / CONFIG).write_text(json.dumps(json.loads((home / CONFIG).read_text()) | own))
    write_sums(home)
    result = call(home, hospital, tmp_path / "out")
    assert result.exit_code == 2
    assert "Probabilities are not better" in result.stdout or "Probabilities are worse" in result.stdout
    assert "not written, as probabilities here are no better than before" in result.stderr
    assert "--accept REASON" in result.stderr
    assert not (tmp_path / "out").exists()
    again = call(home, hospital, tmp_path / "out", "--accept", "the head of radiology asks for it")
    assert again.exit_code == 0
    assert "because: the head of radiology asks for it" in (tmp_path / "out" / CARD).read_text()


def test_an_empty_folder_is_filled_and_any_other_refused(
    bundle: Path, hospital: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert call(bundle, hospital, tmp_path / "empty").exit_code == 0
    full = call(bundle, hospital, tmp_path / "empty")
    assert full.exit_code == 2
    assert "empty: already exists; give another name, or move it away first" in full.stderr
    (tmp_path / "file").write_text("x")
    assert "already exists" in call(bundle, hospital, tmp_path / "file").stderr
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("name", ["", "a-b", "a b", "é", "x" * 25, "../x"])
def test_names_that_are_no_part_of_a_version(bundle: Path, hospital: Path, tmp_path: Path, name: str) -> None:
    result = call(bundle, hospital, tmp_path / "out", "--site", name)
    assert result.exit_code == 2
    assert "cannot name a site: use 1 to 24 letters, digits and dots" in result.stderr


def test_a_calibrated_bundle_is_not_calibrated_again(
    hospital: Path, done: tuple[Path, Result], tmp_path: Path
) -> None:
    result = call(done[0], hospital, tmp_path / "out")
    assert result.exit_code == 2
    assert (
        "tiny-1.2.3+ward.7 is calibrated for a site already; give the bundle that it was made"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("patients", "options", "message"),
    [
        (18, (), "9 patients with COVID-19 and 9 without, and calibration needs 10 of each"),
        (24, ("--source", "nowhere"), "has no source nowhere; it has ward"),
    ],
)
def test_what_cannot_be_calibrated_on(
    bundle: Path, tmp_path: Path, patients: int, options: tuple[str, ...], message: str
) -> None:
    result = call(bundle, write_hospital(tmp_path / "h", patients=patients), tmp_path / "out", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_one_label_only(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    manifest.write_text(manifest.read_text().replace("non-covid", "covid"))
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 2
    assert "24 patients with COVID-19 and 0 without" in result.stderr


def test_nothing_that_can_be_answered(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h", patients=2)
    for number in range(4):
        write_png(tmp_path / "h" / f"{number}.png", np.full((64, 64), 90, np.uint8))
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 2
    assert "none of 4 slices can be calibrated on" in result.stderr


def test_sources_with_one_label_are_left_out(bundle: Path, tmp_path: Path) -> None:
    extra = [f"s{number}.png,non-covid,screening,q{number}," for number in range(3)]
    manifest = write_hospital(tmp_path / "h", more=tuple(extra))
    for number in range(3):
        write_png(tmp_path / "h" / f"s{number}.png", SHOWN)
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 0
    assert "Left out: 3 of sources with one label only." in result.stdout


def test_neither_torch_nor_onnx_is_needed() -> None:
    """A hospital that calibrates need not install what trains: the extra `audit` is enough."""
    code = (
        "import sys; import covidct.apps.cli.commands.calibrate; "
        "print(*sorted({'torch', 'onnx', 'safetensors', 'onnxscript'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == []


def test_slices_that_name_no_source_are_told(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h", patients=24, source="")
    result = call(bundle, manifest, tmp_path / "out")
    assert "name no source" in " ".join(result.stdout.split())


def relabel(manifest: Path, label: Callable[[int, str], str]) -> None:
    """Give the slices of a hospital other labels: by the number of the patient, and the label that was."""
    head, *lines = manifest.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    changed = [[one[0], label(int(one[3][1:]), one[1]), *one[2:]] for one in cells]
    manifest.write_text("\n".join([head, *(",".join(one) for one in changed)]))


def test_swapped_labels_are_refused_whatever_the_reason(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    relabel(manifest, lambda _, label: "covid" if label == "non-covid" else "non-covid")
    result = call(bundle, manifest, tmp_path / "out", "--accept", "never mind")
    assert result.exit_code == 2
    assert "the labels look swapped" in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_may_be_chance_needs_a_reason(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    relabel(manifest, lambda patient, _: ("non-covid", "covid")[patient // 2 % 2])
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 2
    assert "on these slices the model may be no better than chance" in result.stderr
    assert not (tmp_path / "out").exists()
    assert call(bundle, manifest, tmp_path / "out", "--accept", "to see").exit_code == 0


def test_one_picture_under_two_patients_is_named(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    (tmp_path / "h" / "9.png").write_bytes((tmp_path / "h" / "1.png").read_bytes())
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 2
    assert "9.png: is a copy of" in result.stderr
    assert "1.png, under another patient" in result.stderr


def test_a_copy_that_was_encoded_again_is_found(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    with Image.open(tmp_path / "h" / "1.png") as picture:
        picture.resize((80, 80)).save(tmp_path / "h" / "9.png")
    result = call(bundle, manifest, tmp_path / "out")
    assert result.exit_code == 2
    assert "9.png: is a copy of" in result.stderr


def test_labels_may_have_any_names(bundle: Path, tmp_path: Path) -> None:
    manifest = write_hospital(tmp_path / "h")
    relabel(manifest, lambda _, label: {"covid": "krank", "non-covid": "gesund"}[label])
    asked = call(bundle, manifest, tmp_path / "out")
    assert asked.exit_code == 2
    assert "there are gesund, krank" in asked.stderr
    result = call(bundle, manifest, tmp_path / "out", "--positive", "krank", "--negative", "gesund")
    assert result.exit_code == 0, result.output


def test_a_folder_of_classes_will_do(bundle: Path, tmp_path: Path) -> None:
    """Its slices have no ids, and are too few: that is what is told, not that it is no manifest."""
    manifest = write_hospital(tmp_path / "h", patients=4)
    for line in manifest.read_text().splitlines()[1:]:
        name, label, *_ = line.split(",")
        (tmp_path / "pics" / label.upper()).mkdir(parents=True, exist_ok=True)
        (tmp_path / "h" / name).rename(tmp_path / "pics" / label.upper() / name)
    result = call(bundle, tmp_path / "pics", tmp_path / "out")
    assert result.exit_code == 2
    assert "1 patients with COVID-19 and 1 without, and calibration needs 10 of each" in result.stderr
