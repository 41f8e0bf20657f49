"""Speed and memory beside other tools, in one run: what `benchmarks/run` does.

Everything is measured in turns (ours, theirs, ours ...), so that a machine that changes its speed changes
all. Writes docs/measured/performance.json, and plot and tables of docs/reference/performance.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.performance_page import write_page
from benchmarks.programs import EAGER, OURS, Program, race
from covidct.images.decoding.cores import count_cores

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "docs" / "measured" / "performance.json"
SERIES = 5  # rounds of series, which take many seconds: enough for a spread


def main() -> None:
    """Measure, write, and say where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="of single slices; a third for one picture")
    parser.add_argument("--slices", type=int, default=300, help="of a series")
    parser.add_argument("--note", default="idle", help="what else the machine did")
    parser.add_argument("--page-only", action="store_true", help="write the page from the figures kept")
    options = parser.parse_args()
    if not options.page_only:
        found = measure(options.rounds, options.slices, options.note)
        MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in write_page(json.loads(MEASURED.read_text(encoding="utf-8"))):
        print(path.relative_to(ROOT))


def measure(rounds: int, slices: int, note: str) -> Mapping[str, Any]:
    """All figures, as they are kept."""
    say("one slice through graphs")
    graphs = run_module("benchmarks.graphs", "--rounds", str(rounds))
    nodes = run_module("benchmarks.nodes")
    with TemporaryDirectory() as name:
        raced = {
            what: {name: [asdict(one) for one in taken] for name, taken in race(programs, turns).items()}
            for what, programs, turns in list_races(Path(name), slices, rounds)
        }
    machine = {"processor": name_processor(), "cores": count_cores(), "note": note, "slices": slices}
    return {"machine": machine, "graphs": graphs, "nodes": nodes, "programs": raced}


def list_races(folder: Path, slices: int, rounds: int) -> Iterator[tuple[str, Sequence[Program], int]]:
    """What is raced, with its files, made before the clock starts, and in how many rounds."""
    # Here, not above: what this process holds is counted for the programs that it starts.
    make_files = "import sys; from pathlib import Path; from benchmarks.phantom_files import *; "
    raw, wavelets, picture = folder / "raw", folder / "jpeg2000", folder / "slice.png"
    make_files += "p, r, w = map(Path, sys.argv[1:4]); write_picture(p); write_series(r, int(sys.argv[4])); "
    make_files += "compress_series(w, r)"
    say("drawing slices")
    subprocess.run([sys.executable, "-c", make_files, picture, raw, wavelets, str(slices)], check=True)
    say("one picture from the shell")
    yield "one PNG", list(list_starts(picture)), max(rounds // 3, 1)
    for what, series in (("series, not compressed", raw), ("series, JPEG 2000", wavelets)):
        say(what)
        yield what, list(list_series(series)), min(rounds, SERIES)


def list_starts(picture: Path) -> Iterator[Program]:
    """Programs that answer for one picture, on one core."""
    yield Program("covidct, float", [*OURS, str(picture)], 1)
    yield Program("covidct, int8", [*OURS, "--int8", str(picture)], 1)
    if has_torch():
        yield Program("PyTorch loop", [*EAGER, str(picture)], 1)


def list_series(folder: Path) -> Iterator[Program]:
    """Programs that answer for all slices of a series, on one core and, where there are more, on two."""
    paths = [str(path) for path in sorted(folder.iterdir())]
    for cores in range(1, min(count_cores(), 2) + 1):
        yield Program(f"covidct, {name_cores(cores)}", [*OURS, "--format", "jsonl", str(folder)], cores)
        if has_torch():
            yield Program(f"PyTorch loop, {name_cores(cores)}", [*EAGER, *paths], cores)


def name_cores(count: int) -> str:
    """As the table and the plot say it."""
    return "1 core" if count == 1 else f"{count} cores"


def has_torch() -> bool:
    """Whether the rival is here, without loading it."""
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0


def run_module(name: str, *arguments: str) -> Any:
    """What a module of this folder prints, in a process of its own."""
    command = [sys.executable, "-m", name, *arguments]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def name_processor() -> str:
    """What the machine calls it, and what it can do that matters here."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    kinds = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni") if name in flags]
    return f"{names[0] if names else platform.processor()} ({', '.join(kinds)})"


def say(what: str) -> None:
    """Tell what is measured."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
