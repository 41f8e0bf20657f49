"""Every fault at every stage of every command.

    PYTHONPATH=.:tests/support:studies:fuzz python -m faults --out faults.json [--kinds KIND ...] [NAME ...]

For Linux with a C compiler. Writes what came of each into the file, and the table of
docs/reference/reliability.md to standard output. What the file already has of other commands and faults
stays, so that a table can be made in several runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from faults.control import Injector, Kind, build
from faults.node import try_node
from faults.run import Bench, Cell, Warm, to_stages, try_all
from faults.scenarios import COMMANDS, Scenario
from faults.server import try_server
from faults.table import to_table

KINDS = [kind for kind in Kind if kind is not Kind.NONE]
SERVICES = {"node": try_node, "serve": try_server}


def try_command(
    scenario: Scenario, injector: Injector, folder: Path, kinds: Sequence[Kind]
) -> Iterator[Cell]:
    """A command that ends by itself."""
    warm = Warm(injector, scenario.modules)
    bench = Bench(scenario, injector, warm, folder)
    stages = scenario.choose(to_stages(bench.measure()))
    for kind in kinds:
        yield from try_all(bench, kind, stages)
    warm.close()


def try_each(names: Sequence[str], kinds: Sequence[Kind]) -> Iterator[Cell]:
    """All that is asked for, each in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            folder = Path(place, name)
            (folder / "root" / "tmp").mkdir(parents=True)
            injector = Injector(build(folder), folder / "root", folder)
            if name in SERVICES:
                yield from SERVICES[name](injector, folder, kinds)
            else:
                yield from try_command(COMMANDS[name], injector, folder, kinds)


def read_cells(path: Path) -> list[Cell]:
    """What an earlier run found; nothing where there was none."""
    return [Cell(**one) for one in json.loads(path.read_bytes())] if path.is_file() else []


def main() -> None:
    """Run what is asked for, all by default."""
    names = [*COMMANDS, *SERVICES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=[kind.name for kind in KINDS], metavar="KIND")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    asked = parser.parse_args()
    wanted = asked.names or names
    cells = [
        cell for cell in read_cells(asked.out) if cell.scenario not in wanted or cell.kind not in asked.kinds
    ]
    for cell in try_each(wanted, [Kind[name] for name in asked.kinds]):
        cells.append(cell)
        print(*asdict(cell).values(), sep=" | ", file=sys.stderr)
        asked.out.write_text(json.dumps([asdict(cell) for cell in cells], indent=1), encoding="utf-8")
    print(to_table(cells))


if __name__ == "__main__":
    main()
