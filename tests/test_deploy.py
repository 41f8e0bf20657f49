"""What deploy/ promises: no root, nothing to write to but the spool, options that exist.

The files are read here. Containers are not built in tests, as that takes minutes and a base image.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from covidct.apps.cli.main import main

ROOT = Path(__file__).parents[1]
UNIT = (ROOT / "deploy" / "covidct-node.service").read_text(encoding="utf-8")
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
GUIDE = (ROOT / "docs" / "guide" / "pacs.md").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    """The arguments of an instruction in the last stage, which is what runs."""
    last = re.split(r"^FROM ", CONTAINER, flags=re.MULTILINE)[-1]
    return re.findall(rf"^{name} (.*)$", last, re.MULTILINE)


def has_option(option: str) -> bool:
    return option in CliRunner().invoke(main, ["node", "--help"]).output


def test_the_container_runs_as_a_user_by_number_that_is_not_root() -> None:
    (user,) = instructions("USER")
    assert all(int(part) >= 1000 for part in user.split(":"))


def test_the_container_writes_to_its_volume_alone_which_its_user_owns() -> None:
    (volume,), (user,) = instructions("VOLUME"), instructions("USER")
    command = json.loads(instructions("ENTRYPOINT")[0])  # a list: no shell, so signals reach the node
    assert command[-2:] == ["--spool", volume]
    assert any(f"chown {user} {volume}" in run and "-m 0700" in run for run in instructions("RUN"))
    assert "HOME=/nonexistent" in instructions("ENV")[0]


def test_the_container_is_built_of_files_that_are_there() -> None:
    copied = [
        shlex.split(line)[:-1] for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.MULTILINE)
    ]
    assert copied
    assert all((ROOT / name).exists() for names in copied for name in names)


@pytest.mark.parametrize("option", ["--read-only", "--cap-drop all", "no-new-privileges", "core=0"])
def test_the_guide_runs_the_container_without_rights(option: str) -> None:
    (command,) = re.findall(r"podman run .*?```", GUIDE, re.DOTALL)
    assert option in command
    assert all(has_option(name) for name in re.findall(r"(--(?:peer|host|allow)) ", command))


@pytest.mark.parametrize(
    "line",
    [
        "User=covidct",
        "StateDirectoryMode=0700",
        "LimitCORE=0",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "CapabilityBoundingSet=",
    ],
)
def test_the_unit_gives_the_node_no_more_than_it_needs(line: str) -> None:
    assert line in UNIT.splitlines()


def test_the_unit_writes_where_systemd_lets_it() -> None:
    (command,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    (state,) = re.findall(r"^StateDirectory=(.*)$", UNIT, re.MULTILINE)
    assert f"--spool /var/lib/{state}/" in command
    assert has_option("--spool")
