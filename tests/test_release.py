"""What is installed is locked by hashes, and what a release refuses."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {path.stem: path for path in sorted((ROOT / "locks").glob("*.txt"))}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(
    r"^([\w.-]+)==([^ ;]+)((?: ;[^\\]+)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.MULTILINE
)


@pytest.fixture(scope="module")
def release() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "release"))


def find_asked(name: str) -> list[Requirement]:
    """What a lock must hold: the base, and an extra with those within it."""
    if name == "build":
        return [Requirement(one) for one in PROJECT["build-system"]["requires"]]
    asked = [Requirement(one) for one in PROJECT["project"]["dependencies"]]
    waiting = [] if name == "base" else [name]
    while waiting:
        for one in map(Requirement, PROJECT["project"]["optional-dependencies"][waiting.pop()]):
            waiting += list(one.extras) if one.name == "covidct" else []
            asked += [] if one.name == "covidct" else [one]
    return asked


def test_each_extra_has_a_lock() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"]) - {"dev"}
    assert set(LOCKS) == extras | {"base", "build"}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_of_pins_with_hashes_alone(name: str) -> None:
    text = LOCKS[name].read_text(encoding="utf-8")
    assert PIN.sub("", text) == ""
    assert "://" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_not_stale(name: str) -> None:
    pins: dict[str, list[str]] = {}
    for found in PIN.finditer(LOCKS[name].read_text(encoding="utf-8")):
        pins.setdefault(canonicalize_name(found[1]), []).append(found[2])
    for asked in find_asked(name):
        versions = pins.get(canonicalize_name(asked.name), [])
        fits = versions and all(version in asked.specifier for version in versions)
        assert fits, f"{asked}: the lock has {versions or 'none'}; run scripts/lock"


def test_locks_agree() -> None:
    pins: dict[tuple[str, str], set[str]] = {}
    for path in LOCKS.values():
        for found in PIN.finditer(path.read_text(encoding="utf-8")):
            pins.setdefault((found[1], found[3]), set()).add(found[2])
    assert {pin: versions for pin, versions in pins.items() if len(versions) > 1} == {}


@pytest.mark.parametrize(
    "licence",
    [
        "MIT License",
        "BSD-3-Clause",
        "Apache-2.0 AND MIT",
        "Apache Software License; BSD License",
        "GPL-2.0-only OR MIT",
        "MIT-CMU",
        "Python Software Foundation License",
        "(BSD-3-Clause AND Apache-2.0) OR GPL-3.0",
    ],
)
def test_permissive_licences(release: dict[str, Any], licence: str) -> None:
    assert release["find_unread"]([{"Name": "some", "Version": "1", "License": licence}]) == []


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "MIT AND GPL-2.0-only",
        "BSD License; GNU General Public License (GPL)",
        "NVIDIA Proprietary Software",
        "Other/Proprietary License",
        "UNKNOWN",
        "",
    ],
)
def test_other_licences_must_be_read(release: dict[str, Any], licence: str) -> None:
    package = {"Name": "some", "Version": "1", "License": licence}
    assert release["find_unread"]([package]) == [f"some 1: {licence}"]


def test_a_licence_that_was_read_passes(release: dict[str, Any]) -> None:
    assert release["find_unread"]([{"Name": "certifi", "Version": "1", "License": "MPL-2.0"}]) == []
