from __future__ import annotations

import re
import subprocess
from pathlib import Path

from covidct.apps.cli import main

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "reproduce"


def test_the_script_calls_commands_with_options_that_they_have() -> None:
    text = SCRIPT.read_text(encoding="utf-8").replace("\\\n", " ")
    given = re.findall(r"--[a-z-]+", re.findall(r"given=\((.*)\)", text)[0])
    lines = re.findall(r"^\$covidct (\w+) (.*)$", text, flags=re.MULTILINE)
    assert [name for name, _ in lines] == ["train", "benchmark", "examine", "card"]
    for name, rest in lines:
        if name in main.commands:
            options = re.findall(r"--[a-z-]+", rest) + (given if "given[@]" in rest else [])
            known = {option for parameter in main.commands[name].params for option in parameter.opts}
            assert set(options) <= known, name


def test_the_script_says_what_it_needs() -> None:
    for arguments, words in (
        (["--nonsense", "x"], "--data MANIFEST.csv"),
        (["--data", "x"], "give --pretrained"),
    ):
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode != 0
        assert words in done.stderr
