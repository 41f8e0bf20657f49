"""`covidct card`: the model card of a bundle, made again with what was measured since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from covidct.errors import ManifestError
from covidct.evaluation.card.card import Later, to_card
from covidct.evaluation.card.failures import answer_phantoms, plot_failures, to_section
from covidct.evaluation.card.record import parse_record
from covidct.evaluation.examination.card_text import to_markdown as to_examination
from covidct.evaluation.examination.record import read_examination
from covidct.evaluation.leave_one_out.table import read_standings, to_json
from covidct.images.files import write_beside
from covidct.images.scratch import open_scratch
from covidct.inference.bundle import CARD, REQUIRED, SUMS, load_bundle, write_sums
from covidct.inference.classifier import Classifier
from covidct.inference.config import CONFIG
from covidct.training.gate.figures import read_gate_figures, to_markdown

EITHER = f"{SUMS}.either"


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

    The figures of a `benchmark` go into `config.json` too. `failures` is where the gallery of synthetic
    slices is drawn. Raises BundleError for a bundle that is damaged or has no figures, ManifestError for a
    file of another kind.
    """
    bundle = load_bundle(path)
    text = _add_benchmark(bundle.files[CONFIG], benchmark) if benchmark else ""
    later = Later(
        examination=to_examination(read_examination(examination)) if examination else "",
        gate=to_markdown(read_gate_figures(gate)) if gate else "",
        failures=draw_failures(path, failures) if failures else "",
        notes=_read_notes(notes) if notes else None,
    )
    card = to_card(parse_record(text.encode() or bundle.files[CONFIG]), later)
    replace_files(path, {CARD: card} | ({CONFIG: text} if text else {}))
    return card


def _add_benchmark(config: bytes, benchmark: Path) -> str:
    """`config.json` with the figures of a benchmark in it."""
    table = json.loads(config)
    table["training"]["external"] = to_json(read_standings(benchmark))
    return json.dumps(table, indent=2, allow_nan=False) + "\n"


def draw_failures(path: Path, place: Path) -> str:
    """Draw the gallery of a bundle as PNG; returns what the card says of it."""
    gallery = answer_phantoms(Classifier.load(path))
    if gallery.mistakes:
        write_beside(place, lambda partial: plot_failures(gallery, partial))
    return to_section(gallery, name=place.name)


def replace_files(path: Path, texts: Mapping[str, str]) -> None:
    """Put files of a bundle by name in place of those that are there, with checksums that fit.

    All are made beside the bundle and renamed into it. Until all are, the checksums list old and new ones: a
    bundle whose writer was killed in between is as good as either.
    """
    with open_scratch(path) as beside:
        for name in REQUIRED:
            shutil.copyfile(path / name, beside / name)
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8")
        write_sums(beside)
        new, old = ((folder / SUMS).read_text(encoding="utf-8") for folder in (beside, path))
        (beside / EITHER).write_text(old + new, encoding="utf-8")
        (beside / EITHER).replace(path / SUMS)
        for name in (*texts, SUMS):
            (beside / name).replace(path / name)


def _read_notes(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: notes must be Markdown in UTF-8; save it so") from error
