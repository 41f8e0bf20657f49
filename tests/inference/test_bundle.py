from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import SHIFT, TEMPERATURE
from covidct.errors import BundleError
from covidct.inference.bundle import CARD, REQUIRED, SUMS, default_path, load_bundle, write_sums
from covidct.inference.config import CONFIG
from covidct.types import OperatingPoint


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_loads_what_was_written(tiny_bundle: Path) -> None:
    loaded = load_bundle(tiny_bundle)
    assert loaded.path == tiny_bundle
    assert loaded.config.model == "tiny-1.2.3"
    assert (loaded.config.temperature, loaded.config.shift) == (TEMPERATURE, SHIFT)
    assert loaded.config.prevalence == 0.5
    assert loaded.config.window == (-600.0, 1500.0)
    assert (loaded.config.labels.positive, loaded.config.labels.negative) == ("covid", "non-covid")
    assert loaded.config.operating_points[0] == OperatingPoint(
        "balanced", 0.5, (0.4, 0.6), 0.9, 0.8, (0.1, 0.1), (0.95, 0.9)
    )
    assert loaded.card.startswith("# tiny\n")
    assert loaded.digest == hashlib.sha256((tiny_bundle / SUMS).read_bytes()).hexdigest()
    assert set(loaded.files) == set(REQUIRED)
    assert loaded.graph("float") == (tiny_bundle / "model.onnx").read_bytes()
    assert loaded.graph("int8") == (tiny_bundle / "model.int8.onnx").read_bytes()


def test_a_path_may_be_text(tiny_bundle: Path) -> None:
    assert load_bundle(str(tiny_bundle)) == load_bundle(tiny_bundle)


def test_the_shipped_one_is_the_default_and_light() -> None:
    loaded = load_bundle()
    assert loaded.path == default_path()
    assert len(loaded.graph("float")) <= 16_000_000
    assert len(loaded.graph("int8")) <= 5_000_000
    assert {file.name for file in default_path().iterdir()} == {*REQUIRED, SUMS}


def test_is_frozen(tiny_bundle: Path) -> None:
    loaded = load_bundle(tiny_bundle)
    for holder, name in (
        (loaded, "path"),
        (loaded.config, "temperature"),
        (loaded.config.labels, "positive"),
        (loaded.config.operating_points[0], "threshold"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(holder, name, None)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from((*REQUIRED, SUMS)),
    place=st.integers(0, 10**9),
    change=st.integers(1, 255),
)
def test_any_changed_byte_is_refused(tiny_bundle: Path, name: str, place: int, change: int) -> None:
    original = (tiny_bundle / name).read_bytes()
    data = bytearray(original)
    data[place % len(data)] ^= change
    try:
        (tiny_bundle / name).write_bytes(data)
        with pytest.raises(BundleError, match=r"copy|copied"):
            load_bundle(tiny_bundle)
    finally:
        (tiny_bundle / name).write_bytes(original)


@pytest.mark.parametrize("end", ["\r", "\f", "\v", "\x1c"])
def test_line_ends_of_the_sums_count_too(bundle: Path, end: str) -> None:
    lines = (bundle / SUMS).read_bytes()
    (bundle / SUMS).write_bytes(lines.replace(b"\n", end.encode()))
    with pytest.raises(BundleError):
        load_bundle(bundle)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_file(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: cannot be read .*copy the bundle again"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_file_cut_off(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes((bundle / name).read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name}: is not what SHA256SUMS says"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_file_that_would_fill_the_memory(bundle: Path, name: str) -> None:
    size = 1 + (2**30 if name.endswith(".onnx") else 2**24)
    with (bundle / name).open("r+b") as file:
        file.truncate(size)  # a hole: it takes no space on the disk
    with pytest.raises(BundleError, match=f"{name}: has {size} bytes, but at most "):
        load_bundle(bundle)


def test_files_that_would_fill_the_memory_together(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sum(path.stat().st_size for path in bundle.iterdir()) - (bundle / SUMS).stat().st_size
    monkeypatch.setattr("covidct.inference.bundle.MAX_BYTES", whole)
    load_bundle(bundle)
    monkeypatch.setattr("covidct.inference.bundle.MAX_BYTES", whole - 1)
    with pytest.raises(BundleError, match="no bundle is that large"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", CONFIG, SUMS])
def test_a_pipe_and_a_device_are_not_waited_for(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(BundleError, match=f"{name}: is not a regular file"):
        load_bundle(bundle)
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match=f"{name}: is not a regular file"):
        load_bundle(bundle)


def test_a_card_that_is_no_text(bundle: Path) -> None:
    (bundle / CARD).write_bytes(b"\xff\xfe")
    write_sums(bundle)
    with pytest.raises(BundleError, match=rf"{CARD}: is not UTF-8 text"):
        load_bundle(bundle)


def test_no_directory(tmp_path: Path, bundle: Path) -> None:
    for path in (tmp_path / "none", bundle / CONFIG):
        with pytest.raises(BundleError, match="no such model directory"):
            load_bundle(path)


def test_no_sums(bundle: Path) -> None:
    (bundle / SUMS).unlink()
    with pytest.raises(BundleError, match="SHA256SUMS: cannot be read"):
        load_bundle(bundle)


def test_sums_that_are_no_text(bundle: Path) -> None:
    (bundle / SUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="SHA256SUMS: is not text"):
        load_bundle(bundle)


def test_sums_that_do_not_list_all(bundle: Path) -> None:
    lines = (bundle / SUMS).read_text().splitlines(keepends=True)
    (bundle / SUMS).write_text("".join(line for line in lines if CONFIG not in line))
    with pytest.raises(BundleError, match=r"does not list config\.json"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ".", "nul\0", "x" * 5000])
def test_what_lies_outside_is_not_read(bundle: Path, name: str) -> None:
    (bundle.parent / "x").write_bytes(b"")
    with (bundle / SUMS).open("a") as stream:
        stream.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(BundleError):
        load_bundle(bundle)


def test_a_file_that_is_listed_twice_is_one_of_the_two(bundle: Path) -> None:
    """As long as another takes its place (`covidct card`)."""
    old = (bundle / CARD).read_bytes()
    sums = (bundle / SUMS).read_text()
    (bundle / SUMS).write_text(f"{sums}{hashlib.sha256(b'new').hexdigest()}  {CARD}\n")
    for card in (old, b"new"):
        (bundle / CARD).write_bytes(card)
        assert load_bundle(bundle).card.encode() == card
    (bundle / CARD).write_bytes(b"another")
    with pytest.raises(BundleError, match=f"{CARD}: is not what SHA256SUMS says"):
        load_bundle(bundle)


def test_more_files_may_be_listed(bundle: Path) -> None:
    sums = (bundle / SUMS).read_text()
    of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (bundle / "extra").touch()
    (bundle / SUMS).write_text(f"{sums}{of_nothing}  extra\n")
    assert load_bundle(bundle).files["extra"] == b""


def test_sums_are_those_of_sha256sum(tiny_bundle: Path) -> None:
    lines = (tiny_bundle / SUMS).read_text().splitlines()
    assert [line[64:66] for line in lines] == ["  "] * len(REQUIRED)
    assert [line[66:] for line in lines] == sorted(REQUIRED)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'"format"', b"[" * 100_000, b'{"a":' * 100_000]
)
def test_broken_json_with_the_right_sum(bundle: Path, data: bytes) -> None:
    (bundle / CONFIG).write_bytes(data)
    write_sums(bundle)
    with pytest.raises(BundleError, match=r"config\.json: is not the configuration"):
        load_bundle(bundle)
