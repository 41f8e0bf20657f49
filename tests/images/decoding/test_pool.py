"""Processes that decode: what they give, what ends them, and that whoever asks lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import covidct
from covidct.errors import ReadError, UnsupportedImage
from covidct.images.decoding import pool as pool_module
from covidct.images.decoding.jobs import Codec, DecodingError, FrameJob, Job, Limits, PictureJob
from covidct.images.decoding.pool import Decoder, Pool, decode
from covidct.images.file_type import FileType
from covidct.images.raster import parse_raster
from makers import encode

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
PNG = encode(Image.fromarray(GREY))
CUT_OFF = encode(Image.effect_noise((64, 64), 50))[:2000]
PICTURE = PictureJob(FileType.PNG, "scan.png")


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(1)
    yield made
    made.close()


def processes(pool: Pool) -> list[Decoder]:
    return list(pool._idle)


def pid(pool: Pool) -> int:
    (decoder,) = processes(pool)
    return decoder._process.pid


def decodes(pool: Pool) -> bool:
    return pool.decode(PICTURE, PNG, "scan.png").data == GREY.tobytes()


def test_a_process_imports_only_what_a_picture_needs() -> None:
    unneeded = "{'dataclasses', 'inspect', 'pathlib', 'numpy', 'PIL.TiffImagePlugin', 'PIL.JpegImagePlugin'}"
    code = f"""
import sys
sys.path[:] = {sys.path}
from covidct.images.decoding import process
from covidct.images.decoding.decode import load_libraries
from covidct.images.decoding.jobs import PictureJob
from covidct.images.file_type import FileType
load_libraries(PictureJob(FileType.PNG, "scan.png"))
print(sorted({unneeded} & set(sys.modules)), "PIL.PngImagePlugin" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] True\n"


def test_one_process_decodes_one_job_after_another(pool: Pool) -> None:
    assert not processes(pool)
    assert decodes(pool)
    first = pid(pool)
    assert decodes(pool)
    assert pid(pool) == first != os.getpid()


def test_threads_share_as_many_processes_as_there_may_be() -> None:
    pool = Pool(2)
    pictures = [np.full((40, 50), level, np.uint8) for level in range(30)]
    with ThreadPoolExecutor(5) as threads:
        jobs = [threads.submit(pool.decode, PICTURE, encode(Image.fromarray(one)), "x") for one in pictures]
        decoded = [job.result().data for job in jobs]
    assert decoded == [one.tobytes() for one in pictures]
    assert 1 <= len(processes(pool)) <= 2
    pool.close()


def test_damage_is_told_in_the_librarys_words_and_ends_nothing(pool: Pool) -> None:
    decodes(pool)
    first = pid(pool)
    with pytest.raises(DecodingError, match="truncated"):
        pool.decode(PICTURE, CUT_OFF, "scan.png")
    animated = encode(
        Image.fromarray(GREY), save_all=True, append_images=[Image.fromarray(GREY.T.copy().T + 1)]
    )
    with pytest.raises(UnsupportedImage, match=r"scan\.png: 2 frames"):
        pool.decode(PICTURE, animated, "scan.png")
    assert decodes(pool)
    assert pid(pool) == first


def test_a_codestream_that_ends_its_decoder_is_named_and_the_next_is_read(pool: Pool) -> None:
    """gdcm allocates what a codestream declares, and an exception that nobody catches ends the process."""
    size = (65535).to_bytes(2, "big")
    absurd = b"\xff\xd8\xff\xf7\x00\x0b\x10" + size * 2 + b"\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\0\0\0\0"
    job = FrameJob(Codec.JPEG_LS, "1.2.840.10008.1.2.4.80", 65535, 65535, 16, 16, signed=False)
    with pytest.raises((ReadError, DecodingError)):
        pool.decode(job, absurd + bytes(100), "bad.dcm")
    assert decodes(pool)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGSEGV, r"^bad\.png: ended the decoder \(SIGSEGV\)"),
        (signal.SIGABRT, r"^bad\.png: ended the decoder \(SIGABRT\)"),
        (signal.SIGPROF, r"^bad\.png: took the decoder more than 2 s"),
    ],
)
def test_a_process_that_ends_midway_is_replaced(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, message: str
) -> None:
    def wait(self: Decoder) -> bool:
        os.kill(self._process.pid, signal.SIGCONT)
        return True  # as if it had been alive when it was asked for

    decodes(pool)
    first = pid(pool)
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(Decoder, "is_alive", wait)
    os.kill(first, number)
    with pytest.raises(ReadError, match=message):
        pool.decode(PICTURE, PNG, "bad.png")
    monkeypatch.undo()
    assert decodes(pool)
    assert pid(pool) != first


def test_a_process_that_ended_while_it_was_idle_blames_no_file(pool: Pool) -> None:
    decodes(pool)
    processes(pool)[0]._process.kill()
    processes(pool)[0]._process.wait()
    assert decodes(pool)


LARGE = PictureJob(FileType.PNG, "large.png")


def large_png() -> bytes:
    return encode(Image.new("L", (6000, 6000)))


def test_what_takes_too_long_is_ended() -> None:
    pool = Pool(1, Limits(seconds=0.02))
    with pytest.raises(ReadError, match=r"^large\.png: took the decoder more than 0\.02 s"):
        pool.decode(LARGE, large_png(), "large.png")
    pool.close()


def test_what_needs_too_much_memory_is_refused_and_ends_nothing() -> None:
    pool = Pool(1, Limits(memory=32 * 2**20))
    assert decodes(pool)
    first = pid(pool)
    with pytest.raises(ReadError, match=r"^large\.png: needs more than 32 MB to decode"):
        pool.decode(LARGE, large_png(), "large.png")
    assert decodes(pool)
    assert pid(pool) == first
    pool.close()


def test_a_process_that_waits_for_ever_is_given_up(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    decodes(pool)
    monkeypatch.setattr(pool_module, "_PATIENCE", 0.1)
    os.kill(pid(pool), signal.SIGSTOP)
    with pytest.raises(ReadError, match=r"^scan\.png: took the decoder more than 0\.1 s"):
        decodes(pool)
    monkeypatch.undo()
    assert decodes(pool)


def test_an_interrupt_leaves_no_answer_for_the_next(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    decodes(pool)
    with monkeypatch.context() as patch:
        patch.setattr(pool_module, "read_message", interrupt)
        with pytest.raises(KeyboardInterrupt):
            decodes(pool)
    assert not processes(pool)
    assert decodes(pool)


def test_a_process_is_started_again_when_there_is_room(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(ReadError, match=r"^scan\.png: no process to decode it can be started"):
            decodes(pool)
    assert decodes(pool)


def test_a_decoder_that_cannot_start_does_not_blame_the_file(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_CODE", "raise SystemExit(3)")
    with pytest.raises(ReadError, match=r"^scan\.png: the decoder itself failed \(exit 3\)"):
        decodes(pool)


@pytest.mark.parametrize("lacking", ["setitimer", "executable"])
def test_without_limits_it_is_decoded_here(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    def refuse(_: Limits) -> Decoder:
        raise AssertionError("a process was started")

    monkeypatch.setattr(pool_module, "Decoder", refuse)
    monkeypatch.setattr(pool_module, "_POOLS", {})
    if lacking == "setitimer":
        monkeypatch.delattr(signal, "setitimer")
    else:
        monkeypatch.setattr(sys, "executable", "")
    np.testing.assert_array_equal(parse_raster(PNG, name="scan.png"), GREY)
    with pytest.raises(ReadError, match="truncated"):
        parse_raster(CUT_OFF, name="scan.png")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_a_fork_has_processes_of_its_own() -> None:
    decode(PICTURE, PNG, name="scan.png")
    known = pool_module._pool()
    if not (child := os.fork()):
        right = decode(PICTURE, PNG, name="x").data == GREY.tobytes() and pool_module._pool() is not known
        pool_module._pool().close()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert decode(PICTURE, PNG, name="scan.png").data == GREY.tobytes()


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_no_process_outlives_the_program(end: str) -> None:
    code = f"""
import os, signal, sys
from covidct.images.decoding import pool
from covidct.images.raster import parse_raster
parse_raster({PNG!r}, name="x")
print(pool._pool()._idle[0]._process.pid, flush=True)
{end}
"""
    environment = os.environ | {"PYTHONPATH": str(Path(covidct.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    number = int(done.stdout)
    for _ in range(200):
        if not is_running(number):
            return
        time.sleep(0.05)
    raise AssertionError("it still runs")


def limits_of(job: Job, data: bytes) -> dict[str, str]:
    pool = Pool(1)
    pool.decode(job, data, "x")
    lines = Path(f"/proc/{pid(pool)}/limits").read_text().splitlines()[1:]
    pool.close()
    return {line[:25].strip(): line[25:].split()[0] for line in lines}


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="no /proc")
def test_a_decoder_dumps_no_core_and_writes_no_file() -> None:
    limits = limits_of(PICTURE, PNG)
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"
