"""Let atheris (libFuzzer) choose what to damage, by which lines of covidct and its libraries were reached.

    guided.py READER CORPUS [-runs=N] [-max_total_time=S] ...

CORPUS is a folder, filled with sound files at first, and with whatever reached new lines afterwards. The
first byte of a case says which of the reader's files it began as. Needs atheris (Linux).
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

LIBRARIES = ("covidct", "pydicom", "nibabel", "starlette", "dicomweb_client", "zipfile", "tarfile", "csv")
LONGEST = 2**20  # bytes of a case


def main(name: str, corpus: Path, options: list[str]) -> None:
    """Run until libFuzzer ends it: at a find, which it keeps, or after as many runs as were asked for."""
    folder = Path(tempfile.mkdtemp(prefix="guided-"))
    case = folder / "case"
    case.mkdir()
    corpus.mkdir(parents=True, exist_ok=True)
    # Within, until each sound file was read once: much is imported only then.
    with atheris.instrument_imports(include=list(LIBRARIES)):
        from mutations import mutate
        from readers import make_readers
        from worker import limit_memory, put, read_within_limits

        reader = make_readers(folder)[name]
        names = list(reader.seeds)
        for at, (one, data) in enumerate(reader.seeds.items()):
            read_within_limits(reader, put(reader, one, data, case))
            (corpus / one).write_bytes(bytes((at,)) + data)
    limit_memory()

    def read(data: bytes) -> None:
        read_within_limits(reader, put(reader, names[(data or b"\0")[0] % len(names)], data[1:], case))

    def damage(data: bytes, most: int, seed: int) -> bytes:
        return (data[:1] + mutate(data[1:], random.Random(seed), reader.mutations))[:most]

    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *options, str(corpus)], read, custom_mutator=damage)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
