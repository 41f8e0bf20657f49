"""What is answered for files of the wide world: a table that people have read, held line by line."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pydicom.data
import pytest

from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.decision import to_probability
from covidct.series.study import read_study
from covidct.types import Status
from places import ROOT

TABLE = Path(__file__).with_name("golden.tsv")
BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def lines(folder: Path, paths: Sequence[Path]) -> list[str]:
    """`name, what is answered`, of each path: kind, `ok` or the reason, and how many."""
    classifier = Classifier.load(threads=1)
    found = []
    for path in paths:
        answers = classifier.predict_study(read_study([path]))
        told = Counter(
            f"{one.result.kind} {'ok' if one.result.status is Status.OK else one.result.reason}"
            for one in answers
        )
        what = ", ".join(f"{count} {words}" for words, count in sorted(told.items()))
        found.append(f"{folder.name}/{path.relative_to(folder)}\t{what or 'nothing'}")
    return found


def golden(name: str) -> list[str]:
    return [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith(f"{name}/")]


@pytest.mark.filterwarnings("ignore")  # what pydicom has to say of these files is its own
def test_the_test_files_of_pydicom() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lines(BUNDLED, sorted(BUNDLED.iterdir()))
    assert found == golden("test_files")


@pytest.mark.filterwarnings("ignore")
def test_files_of_many_codecs(shared_data: Path) -> None:
    folder = shared_data / "codecs"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    assert lines(folder, files) == golden("codecs")


@pytest.mark.filterwarnings("ignore")
def test_one_slice_in_many_syntaxes_has_one_probability(shared_data: Path) -> None:
    classifier = Classifier.load(threads=1)
    config = classifier.bundle.config
    lossy = ("Lossy", "Process1T", "2_4", "6_8", "10_12", "4.91", "J2KI", "JLSN")
    for name in ("wg04_CT1_*", "wado_CTImage.dcm*"):
        found = {}
        for path in sorted((shared_data / "codecs" / "chest-ct").glob(name)):
            logit = float(classifier.run(read_slice(path)).logit[0])
            found[path.name] = to_probability(logit, temperature=config.temperature, shift=config.shift)
        exact = [value for file, value in found.items() if not any(word in file for word in lossy)]
        assert len(exact) >= 5
        assert max(exact) - min(exact) < 1e-3
        if name.startswith("wado"):  # (those of the other set are compressed by far more)
            assert max(found.values()) - min(found.values()) < 0.02


def test_cases_of_what_real_files_do() -> None:
    cases = ROOT.parent / "shared" / "cases"
    if not cases.is_dir():
        pytest.skip(f"no cases at {cases}")
    script = [sys.executable, "-W", "ignore", str(ROOT / "scripts" / "cases"), str(cases)]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
