"""The shortcut floor of one source: what probes that see no medicine, or next to none, reach within it.

A model tested on a source that it was never trained on has to beat what a forest learns inside that source
from its borders, its files and a glance. Knows rows and probes.
"""

from __future__ import annotations

import numpy as np

from covidct.audit.dataset import read_dataset
from covidct.audit.probes.features import BLACKED_OUT, BORDER, HISTOGRAM, MARKS, THUMBNAIL
from covidct.audit.probes.file_columns import BYTES, encode_facts
from covidct.audit.probes.forest import run_probe
from covidct.data.manifest import DataPlan, Manifest
from covidct.types import Estimate

NO_PIXEL = "no pixel"
PIXELS = (BORDER, BLACKED_OUT, MARKS, THUMBNAIL, HISTOGRAM)


def measure_floor(manifest: Manifest, plan: DataPlan) -> dict[str, Estimate]:
    """Probe -> its AUC with its 95 % interval over patients, on the labelled slices of a manifest.

    Each probe learns and is measured on these slices alone, no patient on both sides: `border`, `lungs
    blacked out`, `marks`, `8 x 8 thumbnail`, `grey histogram` and `no pixel` (format, size, tags; without
    bytes per pixel, which grow with detail). Slices that cannot be read are skipped. Raises ManifestError
    where no row has a declared label.
    """
    data = read_dataset(manifest, plan, alike=False)
    labels = [sample.label for sample in data.samples]
    matrices = {
        name: np.stack([sample.features.vectors[name] for sample in data.samples])
        for name in PIXELS
        if data.samples
    }
    families = encode_facts([sample.facts for sample in data.samples])
    matrices[NO_PIXEL] = np.concatenate([part for name, part in families.items() if name != BYTES], axis=1)
    return {name: run_probe(matrix, labels, data.groups, name=name).auc for name, matrix in matrices.items()}
