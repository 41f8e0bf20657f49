"""Examining a bundle, the straight line: slices -> explanation, blackout, stability -> report.

Knows the order of the steps and what is written where. The graph is asked, not the classifier: a gate would
refuse slices without lungs, and what the graph itself answers for them is what is to be known.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from covidct.data.manifest import DataPlan, Row
from covidct.data.masks import Mask, find_mask, find_turns
from covidct.data.split import to_groups
from covidct.errors import ManifestError
from covidct.evaluation.examination import pictures as sheets
from covidct.evaluation.examination.blackout import Viewed, to_blackouts, view_slice
from covidct.evaluation.examination.evidence_maps import (
    Explained,
    explain_slice,
    to_explanations,
    to_shuffled,
)
from covidct.evaluation.examination.examined_slice import (
    ExaminedSlice,
    draw_examined_slices,
    read_examined_slice,
)
from covidct.evaluation.examination.examples import Exhibit, to_exhibit
from covidct.evaluation.examination.graph_surgery import expose_lungs
from covidct.evaluation.examination.lung_outline import Outline, outline_lungs
from covidct.evaluation.examination.record import Examination, Protocol, to_json
from covidct.evaluation.examination.stability import Trial, to_stabilities, try_slice
from covidct.evaluation.predictions import INTERVAL_BLOCK
from covidct.images.scratch import open_scratch
from covidct.inference.bundle import Bundle
from covidct.inference.session import Session
from covidct.types import Precision

# Slices of one source that are rendered, spread over all of it, and phantoms with lesions.
RENDERED, PHANTOMS = 60, 12
SHOWN = 8  # exhibits


@dataclass(frozen=True)
class Graphs:
    """A bundle's graphs, ready: what ships, the float one, the same shuffled, and its finder, or None."""

    bundle: Bundle
    session: Session
    trained: Session
    shuffled: Mapping[str, Sequence[Session]]
    finder: Session | None


@dataclass
class Notes:
    """What was found of one slice after the other."""

    explained: list[Explained] = field(default_factory=list)
    viewed: list[Viewed] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)
    without_outline: int = 0


def load_graphs(bundle: Bundle, precision: Precision) -> Graphs:
    """Make a bundle's graphs ready. Raises BundleError."""
    graph = bundle.graph("float")
    exposed = expose_lungs(graph)
    return Graphs(
        bundle=bundle,
        session=Session(bundle.graph(precision)),
        trained=Session(graph),
        shuffled=to_shuffled(graph),
        finder=Session(exposed) if exposed is not None else None,
    )


def examine(
    graphs: Graphs, rows: Sequence[Row], plan: DataPlan, *, protocol: Protocol, phantoms: int = PHANTOMS
) -> Examination:
    """Examine a bundle on rows, labelled or not, and on drawn slices.

    Raises ManifestError naming the first labelled file that cannot be read; others are reported on stderr.
    """
    notes = Notes()
    rendered = choose_rendered(rows)
    shown = choose_shown(rows)
    turns = find_turns(rows)
    for folder, turn in turns.items():
        if turn:
            click.echo(f"{folder}: masks lie {90 * turn} degrees off their lungs; turned back", err=True)
    patients = to_groups(rows, block=INTERVAL_BLOCK)
    with click.progressbar(
        zip(rows, patients, strict=True), length=len(rows), label="examining".ljust(24), file=sys.stderr
    ) as bar:
        for row, patient in bar:
            if (examined := _read(row, patient, plan, turns)) is not None:
                _examine_one(graphs, examined, notes, render=row.path in rendered, show=row.path in shown)
    for at, examined in enumerate(draw_examined_slices(phantoms)):
        _examine_one(graphs, examined, notes, render=True, show=not shown and at < SHOWN)
    return Examination(
        protocol=protocol,
        explanations=to_explanations(notes.explained),
        blackouts=to_blackouts(notes.viewed),
        stabilities=to_stabilities(notes.trials),
        without_outline=notes.without_outline,
        exhibits=tuple(notes.exhibits),
    )


def _read(row: Row, patient: str, plan: DataPlan, turns: Mapping[Path, int]) -> ExaminedSlice | None:
    """A row's slice; None where it cannot be read and nobody said that it is one."""
    try:
        return read_examined_slice(row, patient, plan, turns=turns)
    except ManifestError as error:
        if row.label in plan.labels:
            raise
        click.echo(f"not examined: {error}", err=True)
        return None


def choose_rendered(rows: Sequence[Row], *, most: int = RENDERED) -> frozenset[Path]:
    """Paths of at most `most` rows of each source, at even distances, so that many patients are in."""
    members: dict[str, list[Path]] = defaultdict(list)
    for row in rows:
        members[row.source].append(row.path)
    return frozenset(path for paths in members.values() for path in _spread(paths, most))


def choose_shown(rows: Sequence[Row], *, most: int = SHOWN) -> frozenset[Path]:
    """Paths of a few rows with masks of lungs and of lesions, which need not show any."""
    masked = [row.path for row in rows if all(find_mask(row, kind) is not None for kind in Mask)]
    # Ends of a volume show little.
    inner = masked[len(masked) // 5 : len(masked) - len(masked) // 5]
    return frozenset(_spread(inner, most))


def _spread(paths: Sequence[Path], most: int) -> Iterator[Path]:
    places = np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int)
    return (paths[at] for at in places)


def _examine_one(graphs: Graphs, examined: ExaminedSlice, notes: Notes, *, render: bool, show: bool) -> None:
    outline = outline_lungs(examined, graphs.finder)
    if examined.lungs is not None and examined.lesions is not None:
        notes.explained.append(
            explain_slice(graphs.session, examined, trained=graphs.trained, shuffled=graphs.shuffled)
        )
    if examined.label is not None:
        _black_out(graphs.session, examined, outline, notes)
    # Slices that nobody labelled may show neck or abdomen: without lung there is nothing to be stable.
    if render and (examined.label is not None or outline is not None):
        config = graphs.bundle.config
        inside = outline.inside if outline is not None else None
        point = config.operating_points[0]
        notes.trials.extend(try_slice(graphs.session, examined, inside, config=config, point=point))
    if show and examined.lesions is not None and examined.lesions.any():
        whole = list(graphs.shuffled.values())[-1][0] if graphs.shuffled else None
        notes.exhibits.append(to_exhibit(examined, graphs.session, whole))


def _black_out(session: Session, examined: ExaminedSlice, outline: Outline | None, notes: Notes) -> None:
    if outline is None:
        notes.without_outline += 1
        return
    viewed = view_slice(session, examined, outline.inside, outlined=str(outline.origin))
    notes.viewed.append(viewed)


def write_examination(examination: Examination, out: Path) -> None:
    """Write examination.json and the pictures into the folder `out`, replacing older ones.

    All are written under other names and renamed once the last one is done, examination.json last: a run that
    breaks off leaves what was there. evidence.png shows slices, so protect it like them.
    """
    out.mkdir(parents=True, exist_ok=True)
    with open_scratch(out) as beside:
        sheets.plot_stability(examination.stabilities, beside / "stability.png")
        sheets.plot_blackout(examination.blackouts, beside / "blackout.png")
        if examination.exhibits:
            sheets.plot_evidence(examination.exhibits, beside / "evidence.png")
        text = json.dumps(to_json(examination), indent=2, ensure_ascii=False, allow_nan=False)
        (beside / "examination.json").write_text(text + "\n", encoding="utf-8")
        for path in sorted(beside.iterdir(), key=lambda path: path.suffix == ".json"):
            path.replace(out / path.name)
