"""How often another window than the lungs' is told, of slices that are in one and of slices that are not.

    python studies/picture_window.py MANIFEST.csv DICOM_FOLDER

Prints Markdown: of each source of the manifest, whose pictures are as they were published, how many slices
are told to be in another window, and of the DICOM slices shown in windows on purpose how many. Whether those
of the first table are in another window is for eyes to say: `--list` names them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from covidct.data.manifest import read_manifest
from covidct.errors import ReadError
from covidct.evaluation.markdown import to_markdown_table
from covidct.images.files import find_slices, read_bytes
from covidct.images.hounsfield import to_display
from covidct.images.read import parse_hounsfield, read_slice
from covidct.inference.picture_window import is_wrong_window

WINDOWS = {
    "lung -600/1500": (-600, 1500),
    "lung -450/1400": (-450, 1400),
    "lung -700/1000": (-700, 1000),
    "soft tissue 40/400": (40, 400),
    "soft tissue 50/350": (50, 350),
    "bone 400/1800": (400, 1800),
    "bone 500/2500": (500, 2500),
    "12 bits 1023.5/4095": (1023.5, 4095),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("dicom", type=Path)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    told: dict[str, list[bool]] = defaultdict(list)
    for row in read_manifest(given.manifest).rows:
        try:
            told[row.source].append(is_wrong_window(read_slice(row.path).pixels))
        except ReadError:
            continue
        if told[row.source][-1] and given.list:
            print(row.path)
    print(to_markdown_table(("source", "slices", "told"), _count(told)))
    shown: dict[str, list[bool]] = defaultdict(list)
    for path in find_slices(given.dicom).paths:
        try:
            hu = parse_hounsfield(read_bytes(path, name=str(path)), name=str(path))
        except ReadError:
            continue
        if hu is None:
            continue
        for name, (centre, width) in WINDOWS.items():
            shown[name].append(is_wrong_window(to_display(hu, centre=centre, width=width)))
    print(to_markdown_table(("window", "slices", "told"), _count(shown)))


def _count(told: dict[str, list[bool]]) -> list[tuple[str, str, str]]:
    return [(name, str(len(found)), str(sum(found))) for name, found in told.items()]


if __name__ == "__main__":
    main()
