from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from bundles import write_tiny_bundle
from covidct.apps.cli.commands.card import rewrite_card
from covidct.apps.cli.commands.info import to_short_card
from covidct.apps.cli.main import main
from covidct.apps.web.model_facts import to_facts
from covidct.apps.web.openapi.schemas import to_schemas
from covidct.errors import BundleError, ManifestError
from covidct.evaluation.examination.blackout import Blackout, Masking
from covidct.evaluation.examination.evidence_maps import Explanation
from covidct.evaluation.examination.record import Examination, Protocol
from covidct.evaluation.examination.record import to_json as examination_json
from covidct.evaluation.examination.stability import ALL, REAL, Stability
from covidct.evaluation.leave_one_out.table import to_json
from covidct.inference.bundle import CARD, REQUIRED, SUMS, load_bundle, write_sums
from covidct.inference.config import CONFIG
from covidct.types import Estimate
from figures.cards import bundle as bundle  # a fixture
from figures.standings import make_standings

UNDEFINED = Estimate(None, None, None, 0, "undefined: no evidence")
EXAMINATION = Examination(
    Protocol("tiny", "1.2.3", "float", "ab" * 32, "tune", ("medseg",), 0.5, (0.4, 0.6)),
    explanations=(
        Explanation(
            "medseg",
            slices=50,
            with_lesions=40,
            groups=5,
            figures={"hit": Estimate(0.7, 0.6, 0.8, 40), "near": UNDEFINED, "inside": UNDEFINED},
            chances={},
            shuffled={"all layers": {"hit": Estimate(0.1, 0.0, 0.2, 40)}},
        ),
    ),
    blackouts=(
        Blackout("covid-ct", 118, 60, 56, {"graph": 118}, {Masking.NO_LUNGS: Estimate(0.52, 0.4, 0.6, 118)}),
    ),
    stabilities=(
        Stability(
            REAL,
            ALL,
            "",
            n=900,
            slices=90,
            change=Estimate(0.031, 0.02, 0.04, 900),
            flips=Estimate(0.021, 0.01, 0.03, 900),
            doubts=Estimate(0.07, 0.05, 0.09, 900),
        ),
    ),
)


GATE = [
    {
        "source": "ood-photo",
        "what": "not_ct",
        "split": "no split",
        "refused": {"value": 0.75, "low": 0.194, "high": 0.994, "n": 4, "reason": None},
        "by": {"not_ct": 2, "blank": 1},
    }
]


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_the_card_alone_says_what_was_not_measured(bundle: Path) -> None:
    before = {name: (bundle / name).read_bytes() for name in REQUIRED}
    card = rewrite_card(bundle)
    assert load_bundle(bundle).card == card
    assert {name for name in REQUIRED if (bundle / name).read_bytes() != before[name]} == {CARD}
    assert {path.name for path in bundle.iterdir()} == {*REQUIRED, SUMS}
    assert "Not measured for this card. `covidct benchmark" in card
    assert "Not examined for this card. `covidct examine" in card
    assert "with care" in card
    assert "| north | 12 | 6 |" in card
    assert "| PNG | 24 | 12 |" in card
    assert "Not known for these slices: age, sex." in card
    assert "CLAIM (2024 update): 20 of 44 items answered, 2 not applicable" in card
    assert "| 33: external test | not measured for this card |" in card
    assert "\n\n\n" not in card
    assert rewrite_card(bundle) == card


def test_the_card_takes_in_what_was_measured_since(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("## Since\n\nanother note")
    arguments = ["card", str(bundle), "--notes", str(tmp_path / "notes.md")]
    arguments += ["--benchmark", str(write(tmp_path / "b.json", to_json(make_standings())))]
    arguments += ["--examination", str(write(tmp_path / "e.json", examination_json(EXAMINATION)))]
    arguments += ["--gate", str(write(tmp_path / "g.json", GATE))]
    arguments += ["--failures", str(tmp_path / "failures.png")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    card = load_bundle(bundle).card
    assert "| covid-ct | lung | 541 | 251 | 0.80, 0.82 | 0.81 (0.76–0.86) |" in card
    assert "| covid-ct | no pixel | 0.97 (0.95–0.99) |" in card
    assert "Trained where the audit of the others fails, too, because: to see." in card
    assert "| decisions flipped | at most 0.03 | 0.021 | yes |" in card
    assert "| medseg: pointing, within 3 % | at least 0.80 | – | not measured |" in card
    assert "| peak in a lesion | 0.70 (0.60–0.80) | – | 0.10 (0.00–0.20) |" in card
    assert "| covid-ct | 118 | 0.52 (0.40–0.60) |" in card
    assert "| all renders | real slices | 900 | 0.031 (0.020–0.040) | 0.021 (0.010–0.030) | 0.070 (" in card
    assert "| not_ct | ood-photo | no split | 3 of 4 | 0.750 (0.194–0.994) | 2 not_ct, 1 blank |" in card
    assert "| all others | all |  | 3 of 4 |" in card
    assert "another note" in card
    assert "CLAIM (2024 update): 25 of 44 items answered, 2 not applicable" in card
    assert "with care" not in card
    assert "| normal, as drawn | no lesion | 6 |" in card
    assert "\n\n\n" not in card
    assert str(tmp_path) not in card
    assert (tmp_path / "failures.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in bundle.iterdir()} == {*REQUIRED, SUMS}


# Replaces two files of a bundle and is killed once so many have their names.
REPLACE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from covidct.apps.cli.commands.card import replace_files

left, replace = [None] * int(sys.argv[2]), Path.replace

def replace_or_die(path, target):
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left.pop()
    replace(path, target)

Path.replace = replace_or_die
bundle = Path(sys.argv[1])
config = (bundle / "config.json").read_text()
replace_files(bundle, {"README.md": "# Another card", "config.json": config + "\\n"})
"""


@pytest.mark.parametrize("renamed", [1, 2, 3])
def test_a_bundle_is_taken_though_the_card_was_killed_half_way(bundle: Path, renamed: int) -> None:
    before = rewrite_card(bundle)
    command = [sys.executable, "-c", REPLACE_AND_DIE, str(bundle), str(renamed)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (load_bundle(bundle).card == "# Another card") is (renamed > 1)
    assert (load_bundle(bundle).card == before) is (renamed == 1)
    rewrite_card(bundle)
    assert load_bundle(bundle).card == before
    assert {path.name for path in bundle.iterdir()} == {*REQUIRED, SUMS}
    assert len((bundle / SUMS).read_text().splitlines()) == len(REQUIRED)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"source": "x"}]', "\u00e9"])
def test_what_are_no_figures_of_a_gate_is_refused(text: str, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text(text, encoding="latin-1")
    with pytest.raises(ManifestError, match=r"g\.json: holds no figures of a gate .*covidct gate --json"):
        rewrite_card(bundle, gate=tmp_path / "g.json")


def test_info_finds_the_headlines(bundle: Path, tmp_path: Path) -> None:
    rewrite_card(bundle, benchmark=write(tmp_path / "b.json", to_json(make_standings())))
    lines = [line for line in to_short_card(load_bundle(bundle)).splitlines() if "figures" in line]
    assert "AUC on `tune`, sources seen in training (95 % interval): overall 0." in lines[0]
    assert "AUC on external sources, left out of training" in lines[1]
    # The bundle's own recipe, not the baseline; and a source with one label has no AUC to boast of.
    assert lines[1].endswith("covid-ct 0.810 (0.760–0.860).")


def test_a_bundle_without_figures_or_damaged_is_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    plain = write_tiny_bundle(tmp_path / "plain")
    before = (plain / SUMS).read_bytes()
    with pytest.raises(BundleError, match="does not record its figures; train it again"):
        rewrite_card(plain)
    assert (plain / SUMS).read_bytes() == before
    (bundle / CARD).write_text("changed by hand")
    with pytest.raises(BundleError, match=r"README\.md: is not what SHA256SUMS says"):
        rewrite_card(bundle)


@pytest.mark.parametrize(
    "figures", [{"int8": {}}, {"int8": None}, {"int8": {"protocol": {}, "sections": []}}]
)
def test_figures_that_are_none_are_named(bundle: Path, figures: object) -> None:
    config = json.loads((bundle / CONFIG).read_text())
    config["training"]["figures"] = figures
    write(bundle / CONFIG, config)
    write_sums(bundle)
    with pytest.raises(BundleError, match=r"config\.json: .*training: figures: int8: "):
        rewrite_card(bundle)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 9}', '{"schema": 1, "protocol": {}}'])
def test_what_is_no_examination_is_refused(bundle: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(ManifestError, match=r"e\.json: cannot be read as an examination .*covidct examine"):
        rewrite_card(bundle, examination=tmp_path / "e.json")


def test_notes_must_be_text(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "n.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="UTF-8"):
        rewrite_card(bundle, notes=tmp_path / "n.md")


def test_external_figures_are_those_that_the_configuration_records(bundle: Path, tmp_path: Path) -> None:
    assert to_facts(load_bundle(bundle), "float")["external"] == []
    (tmp_path / "benchmark.json").write_text(json.dumps(to_json(make_standings())))
    card = rewrite_card(bundle, benchmark=tmp_path / "benchmark.json")
    facts = json.loads(json.dumps(to_facts(load_bundle(bundle), "float")))
    # The bundle's own recipe, not the baseline; and a source with one label has no AUC.
    assert facts["external"] == [
        {"source": "covid-ct", "recipe": "lung", "auc": asdict(Estimate(0.81, 0.76, 0.86, 541))}
    ]
    Draft202012Validator(to_schemas()["Model"]["properties"]["external"]).validate(facts["external"])
    # From then on the card needs the file no more.
    assert rewrite_card(bundle) == card
