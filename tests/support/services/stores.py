"""An object store on this machine that speaks S3, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

import pytest
from pyarrow import fs

from services.pacs import free_port, wait_for


def name_store(port: int) -> dict[str, str]:
    """What the environment must say for a store on a port of this machine to be used."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def storing() -> Iterator[int]:
    """The port of a store with a bucket, `bucket`; the environment must name it: `name_store`."""
    if find_spec("moto") is None or find_spec("flask_cors") is None:
        pytest.skip("moto is not installed (extra dev)")
    server, port = _start()
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def _start() -> tuple[subprocess.Popen[bytes], int]:
    """A store that answers, and its port; on another one where somebody else was faster."""
    for _ in range(3):
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(partial(_is_decided, server, port))
        if server.poll() is None:
            return server, port
    raise AssertionError("moto's server ends at once")


def _is_decided(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it has ended or answers."""
    return server.poll() is not None or _make_bucket(port)


def _make_bucket(port: int) -> bool:
    store = fs.S3FileSystem(
        access_key="key",
        secret_key="secret",
        region="us-east-1",
        scheme="http",
        endpoint_override=f"127.0.0.1:{port}",
        allow_bucket_creation=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    try:
        store.create_dir("bucket")
    except OSError:
        return False
    return True
