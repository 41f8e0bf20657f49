from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from covidct.apps.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "reproduce"
# Stands in for the command, notes what it is asked for, and makes what later commands are to read.
STAND_IN = """#!/usr/bin/env bash
(IFS=$'\\t'; echo "$*" >> calls)
[ "$1" != train ] || { mkdir -p out/bundle; touch out/finder.safetensors; }
[ "$1" != benchmark ] || { mkdir -p out/benchmark; touch out/benchmark/benchmark.json; }
[ "$1" != gate ] || touch out/gate.json
[ "$1" != examine ] || { mkdir -p out/examination; touch out/examination/examination.json; }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the script, the recipes, and stand-ins for what it calls."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    for name, text in (("scripts/environment", "#!/bin/sh\n"), (".venv-dev/bin/covidct", STAND_IN)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    for name in ("m.csv", "weights", "notes.md"):
        (tmp_path / name).touch()
    return tmp_path


def reproduce(folder: Path, *arguments: str) -> list[list[str]]:
    """What the script called, in turn."""
    command = ["scripts/reproduce", "--data", "m.csv", "--out", "out", *arguments]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    lines = (folder / "calls").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]


def test_each_command_is_called_as_it_can_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = reproduce(folder, "--pretrained", "weights", "--version", "9.9.9", "--notes", "notes.md")
    assert [name for name, *_ in calls] == ["train", *["benchmark"] * 3, "train", "examine", "gate", "card"]
    monkeypatch.chdir(folder)
    for name, *arguments in calls:
        # Options that are unknown, and files that are not there, are refused here.
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_context(name, list(arguments), **main.context_settings)


def test_every_source_is_left_out_before_the_table_is_made(folder: Path) -> None:
    *halves, last = (call for call in reproduce(folder) if call[0] == "benchmark")
    parts = [[call[at + 1] for at, word in enumerate(call) if word == "--left-out"] for call in halves]
    assert len(parts) == 2
    assert all(parts)
    assert sorted([*parts[0], *parts[1]]) == sorted(
        last[at + 1] for at, word in enumerate(last) if word == "--left-out"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--nonsense", "x"], 2, "--data MANIFEST.csv"),
        (["--data"], 2, "--data MANIFEST.csv"),
        (["--out", "x"], 1, "give --data"),
        (["--help"], 0, "--data MANIFEST.csv"),
    ],
)
def test_the_script_says_what_it_needs(arguments: list[str], code: int, words: str) -> None:
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
