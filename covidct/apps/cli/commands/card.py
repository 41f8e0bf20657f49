"""`covidct card`: the model card of a bundle, made again with what was measured since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.errors import ManifestError
from covidct.evaluation.card.card import Later, to_card
from covidct.evaluation.card.failures import answer_phantoms, plot_failures, to_section
from covidct.evaluation.examination.card_text import to_markdown as to_examination
from covidct.evaluation.examination.record import read_examination
from covidct.evaluation.leave_one_out.table import read_standings
from covidct.images.files import write_beside
from covidct.inference.bundle import CARD, CONFIG, REQUIRED, SUMS, load_bundle, write_sums
from covidct.inference.classifier import Classifier
from covidct.training.gate_figures import read_gate_figures, to_markdown


def rewrite_card(
    path: Path,
    *,
    benchmark: Path | None = None,
    examination: Path | None = None,
    gate: Path | None = None,
    notes: Path | None = None,
    failures: Path | None = None,
) -> str:
    """Write the card of the bundle at `path` anew, with its checksums; returns the card.

    `failures` is where the gallery of synthetic slices is drawn. Raises BundleError for a bundle that is
    damaged or has no figures, ManifestError for a file that is none of its kind.
    """
    bundle = load_bundle(path)
    config = json.loads(bundle.files[CONFIG])
    later = Later(
        standings=read_standings(benchmark) if benchmark else None,
        examination=to_examination(read_examination(examination)) if examination else "",
        gate=to_markdown(read_gate_figures(gate)) if gate else "",
        failures=draw_failures(path, failures) if failures else "",
        notes=_read_notes(notes) if notes else None,
    )
    card = to_card(config, later)
    replace_card(path, card)
    return card


def draw_failures(path: Path, place: Path) -> str:
    """Draw the gallery of a bundle as PNG; returns what the card says of it."""
    gallery = answer_phantoms(Classifier.load(path))
    if gallery.mistakes:
        write_beside(place, lambda partial: plot_failures(gallery, partial))
    return to_section(gallery, name=place.name)


def replace_card(path: Path, card: str) -> None:
    """Put a card into a bundle, with checksums that fit it.

    Both files are made beside the bundle and renamed into it, the checksums last: who breaks in between is
    refused, not misled.
    """
    with TemporaryDirectory(dir=path, prefix=".card-") as folder:
        beside = Path(folder)
        for name in REQUIRED:
            shutil.copyfile(path / name, beside / name)
        (beside / CARD).write_text(card, encoding="utf-8")
        write_sums(beside)
        for name in (CARD, SUMS):
            (beside / name).replace(path / name)


def _read_notes(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: notes must be Markdown in UTF-8; save it so") from error
