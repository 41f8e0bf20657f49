"""A run as one HTML file: the data set made, the curves, what it says of new slices, and how far to trust it.

Everything is inside; the page asks for nothing from outside. It shows slices: protect it like them. Its look
is in `page.html` and, shared with the audit, `style.css`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covidct import __version__
from covidct.audit.report.template import open_templates, to_data_uri
from covidct.audit.verdict import Audit
from covidct.data.recipe import Recipe
from covidct.evaluation.few_cases import tell_few
from covidct.evaluation.report import Report
from covidct.training.report.trust import to_doubts, to_headline
from covidct.types import DISCLAIMER

# What each recipe's network is, for people.
NETWORKS = {
    "six_layers": "a network of six layers, from random weights",
    "mobilenet_v2": "MobileNetV2",
    "lung_net": "MobileNetV2 on the lungs alone",
    "opacity_net": "MobileNetV2 on the lungs alone, asked two questions",
}
# What the picture beside a slice shows; dense layers know no place.
SEEING = "where the network sees COVID-19."
BLIND = "how much speaks for COVID-19, in one colour: this network cannot say where it sees it."
BLIND_NETWORKS = ("six_layers",)


@dataclass(frozen=True)
class Story:
    """What a run has to show.

    `splits` counts slices as split -> (COVID-19, not). `tune` chose epoch and threshold; `test` had no say,
    None where there is none or it is locked. `sheet` (H, W) uint8 shows slices and their views; `folder`
    holds the plots of the run. `has_ids` is whether patients are known.
    """

    recipe: Recipe
    subject: str
    splits: dict[str, tuple[int, int]]
    audit: Audit
    tune: Report
    test: Report | None
    sheet: NDArray[np.uint8]
    folder: Path
    has_ids: bool


def to_page(story: Story) -> str:
    """The page of a run."""
    test = story.folder / "test"
    shown = (story.test or story.tune).overall.decisions
    return (
        open_templates("covidct.training.report")
        .get_template("page.html")
        .render(
            story=story,
            network=NETWORKS[story.recipe.network],
            headline=to_headline(story.tune, story.test),
            where=BLIND if story.recipe.network in BLIND_NETWORKS else SEEING,
            is_undecided=shown is not None and not shown.decided.n,
            is_few=bool(tell_few(story.test or story.tune)),
            doubts=tuple(to_doubts(story.tune, story.test, story.audit, has_ids=story.has_ids)),
            sheet=to_data_uri(Image.fromarray(story.sheet)),
            pictures={
                "curves": _read(story.folder / "curves.png"),
                "losses": _read(story.folder / "evaluation" / "mistakes.png"),
                "confusion": _read((test if story.test else story.folder / "evaluation") / "confusion.png"),
                "roc": _read((test if story.test else story.folder / "evaluation") / "roc.png"),
                "predictions": _read(test / "mistakes.png") if story.test else "",
            },
            version=__version__,
            disclaimer=DISCLAIMER,
        )
    )


def _read(path: Path) -> str:
    """A PNG as a data: URI, "" where there is none."""
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode('ascii')}" if path.is_file() else ""
