"""Two processes as torchrun starts them, by gloo, against one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from covidct.data.manifest import Row, read_manifest
from covidct.data.recipe import Phase, Recipe
from covidct.data.split import assign_splits
from covidct.errors import RecipeError
from covidct.training.fit import fit
from covidct.training.machine.processes import ALONE, Processes, join_processes
from training import write_phantoms

# No statistics of batches and no chance but that of the draws: two processes then learn what one does.
RECIPE = Recipe(
    "tiny",
    "six_layers",
    (Phase("whole", 2, 1e-3, schedule="constant"),),
    pretrained=False,
    size=64,
    batch=4,
    epoch_slices=16,
    dropout=0,
    average=0,
)
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_processes import RECIPE, split
from covidct.training.fit import fit
from covidct.training.machine.processes import join_processes
with join_processes() as processes:
    assert processes.count == 2
    assert processes.tell(processes.rank) == 0
    assert processes.average([float(processes.rank)]) == [0.5]
    fit(RECIPE, split(Path({manifest!r})), out=Path({out!r}), pretrained=None, processes=processes)
"""


def split(manifest: Path) -> tuple[Row, ...]:
    plan = replace(RECIPE.data, tune=0.3, calibrate=0)
    return assign_splits(read_manifest(manifest).rows, plan)


def read_losses(out: Path) -> list[tuple[float, float]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [(float(line["train_loss"]), float(line["tune_loss"])) for line in csv.DictReader(file)]


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    manifest = write_phantoms(tmp_path, patients=4)
    fit(RECIPE, split(manifest), out=tmp_path / "one", pretrained=None)
    script = tmp_path / "run_two.py"
    here, out = str(Path(__file__).parent), str(tmp_path / "two")
    script.write_text(SCRIPT.format(here=here, manifest=str(manifest), out=out))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*torchrun, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = read_losses(tmp_path / "one"), read_losses(tmp_path / "two")
    assert [number for pair in two for number in pair] == pytest.approx(
        [number for pair in one for number in pair], abs=2e-3
    )


def test_every_process_gets_as_much_of_whole_batches() -> None:
    parts = [Processes(rank, 2).share(range(11), batch=4) for rank in (0, 1)]
    assert parts == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert ALONE.share(range(11), batch=4) == list(range(11))


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    manifest = write_phantoms(tmp_path, patients=2)
    with pytest.raises(RecipeError, match="a batch of 4 cannot be shared out evenly to 3 processes"):
        fit(RECIPE, split(manifest), out=tmp_path, pretrained=None, processes=Processes(0, 3))


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with join_processes() as processes:
        assert processes == ALONE
        assert processes.tell("a") == "a"
        assert processes.average([1.0]) == [1.0]
