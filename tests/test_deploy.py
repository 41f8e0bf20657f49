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
UNITS = {
    name: (ROOT / "deploy" / f"covidct-{name}.service").read_text(encoding="utf-8")
    for name in ("node", "serve")
}
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
GUIDE = (ROOT / "docs" / "guide" / "pacs.md").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    """The arguments of an instruction in the last stage, which is what runs."""
    last = re.split(r"^FROM ", CONTAINER, flags=re.MULTILINE)[-1]
    return re.findall(rf"^{name} (.*)$", last, re.MULTILINE)


def has_option(option: str, command: str = "node") -> bool:
    return option in CliRunner().invoke(main, [command, "--help"]).output


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


@pytest.mark.parametrize("name", list(UNITS))
@pytest.mark.parametrize(
    "line",
    [
        "LimitCORE=0",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "CapabilityBoundingSet=",
        "RestartPreventExitStatus=2",
    ],
)
def test_units_give_no_more_than_is_needed(name: str, line: str) -> None:
    assert line in UNITS[name].splitlines()


@pytest.mark.parametrize(("name", "line"), [("node", "User=covidct"), ("serve", "DynamicUser=yes")])
def test_units_run_as_a_user_of_their_own(name: str, line: str) -> None:
    assert line in UNITS[name].splitlines()


def test_the_node_writes_where_systemd_lets_it_and_the_server_nowhere() -> None:
    (command,) = re.findall(r"^ExecStart=(.*)$", UNITS["node"], re.MULTILINE)
    (state,) = re.findall(r"^StateDirectory=(.*)$", UNITS["node"], re.MULTILINE)
    assert f"--spool /var/lib/{state}/" in command
    assert "StateDirectoryMode=0700" in UNITS["node"].splitlines()
    assert has_option("--spool")
    assert "Directory=" not in UNITS["serve"]


@pytest.mark.parametrize(("name", "guide"), [("node", "pacs"), ("serve", "serve")], ids=["node", "serve"])
def test_the_guide_starts_the_unit_with_options_that_exist(name: str, guide: str) -> None:
    text = (ROOT / "docs" / "guide" / f"{guide}.md").read_text(encoding="utf-8")
    (options,) = re.findall(rf"{name.upper()}_OPTIONS=(--.*)'? >", text)
    assert all(has_option(one, name) for one in options.split() if one.startswith("--"))
    assert f"/etc/covidct/{name}.env" in text
    assert f"EnvironmentFile=/etc/covidct/{name}.env" in UNITS[name]
