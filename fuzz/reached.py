"""How many lines of what reads files the fuzzer reaches, in a bounded run in one process.

    reached.py [CASES]

So many cases of each reader (300 unless given). Decoders run in processes of their own and are not counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from coverage import Coverage

SEED = 1
READ = (
    *("covidct/images/*", "covidct/series/*", "covidct/inference/graph/*", "covidct/inference/config.py"),
    *("covidct/inference/bundle.py", "covidct/data/manifest.py", "covidct/data/recipe.py"),
    *("covidct/apps/web/uploads.py", "covidct/apps/pacs/dicomweb.py", "covidct/apps/pacs/content.py"),
)
# Drawn, learned and watched, but read from no file.
UNREAD = ("covidct/images/phantoms/*", "covidct/images/decoding/process.py", "covidct/images/scratch.py")


def main(cases: int) -> None:
    """Run the cases, and print a line of each module and the sum."""
    watch = Coverage(data_file=None, config_file=False, include=READ, omit=UNREAD)
    with tempfile.TemporaryDirectory() as place:
        scratch, case = Path(place, "scratch"), Path(place, "case")
        scratch.mkdir()
        case.mkdir()
        watch.start()
        # Within: what is run at import counts, too.
        from readers import make_readers
        from worker import run

        for name, reader in make_readers(scratch).items():
            done = run(reader, SEED, cases, case)
            print(f"{name}: {done.cases} cases, {done.answered} answered", file=sys.stderr, flush=True)
        watch.stop()
    watch.report(file=sys.stdout, show_missing=False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
