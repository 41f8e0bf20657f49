"""A process that has imported what is heavy, and forks one that runs `covidct` for each line it is given.

A line of standard input is a JSON object: `arguments`, `out` and `log` (files for standard output and error);
the answer is the number of the process, then its exit code, a line each. So a run costs what it does, and no
import.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

from archives import Here
from covidct.apps.archive import engine


def serve() -> None:
    """Fork for each line; returns in the child alone, and at the end of input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if not child:
            redirect(asked)
            sys.argv = ["covidct", *asked["arguments"]]
            return
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit(0)


def redirect(asked: dict[str, Any]) -> None:
    """Standard output and error into files, as a shell does it."""
    for number, path in ((1, asked["out"]), (2, asked["log"])):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


class Alone(Here):
    """An archive's jobs in this process; what Ray itself does when a worker ends is tested with Ray."""

    def __init__(self, *, address: str | None = None, workers: int | None = None):
        super().__init__()

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def main() -> None:
    """Be ready, then be `covidct`, in as many processes as are asked for."""
    for name in sys.argv[1:]:
        import_module(name)
    engine.RayEngine = Alone  # type: ignore[assignment, misc]
    print("ready", flush=True)
    serve()
    from covidct.apps.cli.main import main as run

    run(prog_name="covidct")


if __name__ == "__main__":
    main()
