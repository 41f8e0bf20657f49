"""docs/reference/model.md and the table of figures in the README, from the bundle and docs/measured.

Every figure of the model stands on that page and nowhere else. `scripts/docs` writes it; a test compares.
Knows the keys of `config.json`, `benchmark.json`, `examination.json` and `gate.json`. Measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from covidct.evaluation.calibration.pool_config import parse_record
from covidct.evaluation.card.pooled import (
    CARRIED_HEAD,
    TALLY_HEAD,
    to_carried_row,
    to_share,
    to_tally_row,
)
from covidct.evaluation.leave_one_out.names import to_sources
from covidct.evaluation.markdown import to_markdown_table
from covidct.stats.estimate import exact_interval
from covidct.types import Estimate

ROOT = Path(__file__).parents[1]
BUNDLE, MEASURED = ROOT / "covidct" / "model", ROOT / "docs" / "measured"
Table = Mapping[str, Any]

FIRST = """\
# The model: {name} {version}

Made by `scripts/docs` from `covidct/model/config.json` and [docs/measured](../measured); a test
compares. Parentheses hold 95 % intervals over patients; there is none where all slices are of one
patient, or where every resample gives the same. The positive class is COVID-19. All figures are of
the float graph. [Benchmark](../training/benchmark.md) and [examination](../training/examine.md) say
how each figure is measured. `covidct info --card` prints the whole card, int8 graph included.
"""
EXTERNAL = """\
## External sources

The recipe is trained {times} without the source and then tested on all its labelled slices, at the
threshold and with the sets of the other sources. Expect these figures, or worse, in a hospital that
the model never saw. Some choices of the recipe were made with these sources in view, so the figures
are a little optimistic. `mosmed` counts its mild cases, whose slice often shows nothing.
"""
INTERNAL = """\
## Sources it was trained on

The `{split}` split: patients that the model has not seen, but from sources that it has, so these
figures are flattering. Square brackets hold the ECE that perfect probabilities would show on so few
slices.
"""
POINTS = """\
## Operating points

A probability is sigmoid((logit − {shift:.3f}) / {temperature:.3f}): it holds for a mix of slices of
which {prevalence:.0%} show COVID-19. Below the band a slice is negative, above it positive, inside it
indeterminate. *Held* is the share of slices {where} whose prediction set
holds the truth, beside the share that was asked for. Sensitivity, specificity, PPV and NPV hold if
the threshold alone decides.
"""
CARRIED = """\
## Decisions in a hospital left out

Each source is decided with a calibration on the others, as the model decides in a hospital that it
never saw. `mosmed` is without its mild cases. A slice or series counts once for each training.
"""
TALLIES = """\
What the lungs of slices and series show, in the [four words](../guide/findings.md), measured in the
same way. A series is whole and sampled at several spacings, each of which counts; a pseudo-series
is put together from single slices of one kind.
"""
FLOOR = """\
## Shortcut floor

Random forests that see no lung, trained within each source, can separate its labels. A model
trained *there* has shown nothing unless it beats them.
"""
BLACKOUT = """\
## Lungs blacked out

AUC on `{split}` for the part of the slice that is left. Without lungs it should fall to 0.5.
"""
EVIDENCE = """\
## Evidence

Does the evidence map point at drawn lesions? {slices} slices with lesions of {patients} from
`{source}`, none of them trained on. *By chance*: a random point in the lungs, or lungs lit evenly.
"""
STEADY = """\
## Stability

The same slice, rendered in other ways: {slices} real slices, {renders} renders.
"""
GATE = """\
## Refusals

What is refused from the pixels alone. The pictures include some that the gate was trained on. The
slices of the chest include some in a window other than lung, which are rightly refused. Of the
other parts of the body that are not refused, eight are from an abdominal study (`ood-abdomen-ct`);
all eight, when looked at, show the bases of the lungs.
"""
EVIDENCE_ROWS = {
    "hit": "peak lies in a lesion",
    "near": "peak lies in a lesion or within 3 % of one",
    "inside": "share of the evidence inside the lungs",
    "iou": "overlap (IoU) with the lesions",
}
GATE_KINDS = {
    "chest": "axial slices of the chest with lung",
    "radiograph": "radiographs",
    "not_ct": "photographs",
    "not_axial": "coronal and sagittal CT",
    "not_chest": "other parts of the body",
}


PLAIN, DECIDED = "baseline", "Balanced accuracy of the decided"


def model_page() -> str:
    """The page, as Markdown."""
    return "\n".join(part.rstrip("\n") + "\n" for part in _parts(_read(BUNDLE / "config.json")))


def readme_table() -> str:
    """The figures of the recipe that ships, on each source left out, beside a plain fine-tune."""
    training = _read(BUNDLE / "config.json")["training"]
    recipe, pool = training["recipe"]["name"], {one["source"]: one for one in training["pool"]}
    every = _read(MEASURED / "benchmark.json")["rows"]
    rows = [row for row in every if row["recipe"] == recipe]
    plain = {row["left_out"]: row["metrics"]["auc"] for row in every if row["recipe"] == PLAIN}
    head = ("Never trained on", "Slices (COVID-19)", "AUC", "Plain fine-tune", "Undecided", DECIDED)
    return to_markdown_table(
        head,
        [
            [
                _source(row["left_out"]),
                _size(row),
                _text(row["metrics"]["auc"]),
                _text(plain[row["left_out"]]),
                *(to_share(pool[row["left_out"]][key]) for key in ("undecided", "accuracy")),
            ]
            for row in rows
        ],
    )


def _parts(config: Table) -> Iterator[str]:
    training, examined = config["training"], _read(MEASURED / "examination.json")
    figures = training["figures"]["float"]
    split = figures["protocol"]["split"]
    yield FIRST.format(**config)
    yield _trained_on(training["splits"])
    yield from _external(_read(MEASURED / "benchmark.json"))
    yield from _carried(training)
    yield INTERNAL.format(split=split)
    yield _internal(figures["sections"])
    yield POINTS.format(
        where="of the sources left out" if training.get("pool") else f"on `{split}`", **config
    )
    yield _points(config["operating_points"], figures["sections"][0]["points"])
    yield from _blackouts(examined)
    yield from _evidence(examined["explanations"][0])
    yield from _stability(examined["stabilities"])
    yield GATE
    yield _refusals(_read(MEASURED / "gate.json"))


def _trained_on(splits: Mapping[str, Mapping[str, Sequence[int]]]) -> str:
    """Slices by split and source: with COVID-19 + others."""
    sources = list(dict.fromkeys(source for split in splits.values() for source in split))
    rows = [
        [f"`{source}`", *("{} + {}".format(*split.get(source, (0, 0))) for split in splits.values())]
        for source in sources
    ]
    return to_markdown_table(["Slices: COVID-19 + others", *(f"`{split}`" for split in splits)], rows)


def _external(benchmark: Table) -> Iterator[str]:
    seeds = len(benchmark["rows"][0]["aucs"])
    yield EXTERNAL.format(times="once" if seeds == 1 else f"{seeds} times")
    names = ("auc", "sensitivity", "specificity", "ece", "indeterminate")
    yield to_markdown_table(
        (
            "Source",
            "Recipe",
            "Slices (COVID-19)",
            "AUC",
            "Sensitivity",
            "Specificity",
            "ECE",
            "Indeterminate",
        ),
        [
            [
                _source(row["left_out"]),
                row["recipe"],
                _size(row),
                *(_text(row["metrics"][key]) for key in names),
            ]
            for row in benchmark["rows"]
        ],
    )
    yield "\n".join(
        f"- On the same patients of {_source(gain['left_out'])}, the AUC of `{gain['recipe']}` lies "
        f"{_text(gain['auc'])} above\n  that of `{gain['over']}`."
        for gain in benchmark["gains"]
    )
    yield FLOOR
    floors = benchmark["floors"]
    yield to_markdown_table(
        ("What the forest sees", *(f"{_source(source)}, AUC" for source in floors)),
        [
            [probe, *(_text(floor[probe]) for floor in floors.values())]
            for probe in next(iter(floors.values()))
        ],
    )


def _internal(sections: Sequence[Table]) -> str:
    rows = []
    for section in sections:
        found, point = section["evaluation"], section["points"][0]["figures"]
        ece = _text(found["metrics"]["ece"])
        chance = section["chance_ece"]
        rows.append(
            [
                section["name"],
                f"{found['n']:,} ({found['positives']:,})",
                *(_text(found["metrics"][name]) for name in ("auc", "sensitivity", "specificity")),
                f"{ece} [{chance:.2f}]" if chance is not None and ece != "–" else ece,
                _text(point["indeterminate"]),
            ]
        )
    return to_markdown_table(
        ("Source", "Slices (COVID-19)", "AUC", "Sensitivity", "Specificity", "ECE", "Indeterminate"), rows
    )


def _points(points: Sequence[Table], measured: Sequence[Table]) -> str:
    """With PPV and NPV at the lowest prevalence that was measured."""
    rare = min(worth["prevalence"] for worth in measured[0]["worths"])
    return to_markdown_table(
        (
            *("Operating point", "Band", "Threshold", "Sensitivity", "Specificity"),
            *("Held / asked: COVID-19", "Others", f"PPV at {rare:.0%}", f"NPV at {rare:.0%}"),
        ),
        [_point(*pair, rare) for pair in zip(points, measured, strict=True)],
    )


def _point(point: Table, measured: Table, rare: float) -> list[str]:
    worth = next(worth for worth in measured["worths"] if worth["prevalence"] == rare)
    return [
        f"*{point['name']}*",
        "{:.3f}–{:.3f}".format(*point["band"]),
        *(f"{point[name]:.3f}" for name in ("threshold", "sensitivity", "specificity")),
        *(
            f"{held:.2f} / {1 - alpha:.2f}"
            for held, alpha in zip(point["coverage"], point["alpha"], strict=True)
        ),
        *(_text(worth[name]) for name in ("ppv", "npv")),
    ]


def _blackouts(examined: Table) -> Iterator[str]:
    yield BLACKOUT.format(**examined["protocol"])
    entries = [one for one in examined["blackouts"] if 0 < one["positives"] < one["n"]]
    yield to_markdown_table(
        ("Source", "Slices", *(view for view in entries[0]["aucs"])),
        [[one["source"], str(one["n"]), *map(_text, one["aucs"].values())] for one in entries],
    )


def _evidence(found: Table) -> Iterator[str]:
    patients = f"{found['groups']} patient{'s' * (found['groups'] != 1)}"
    yield EVIDENCE.format(slices=found["with_lesions"], patients=patients, source=found["source"])
    yield to_markdown_table(
        ("", "Measured", "By chance", "All weights shuffled"),
        [
            [
                title,
                _text(found["figures"][name]),
                _text(found["chances"].get(name)),
                _text(found["shuffled"]["all layers"].get(name)),
            ]
            for name, title in EVIDENCE_ROWS.items()
        ],
    )


def _stability(entries: Sequence[Table]) -> Iterator[str]:
    real = [one for one in entries if one["source"] == "real slices" and not one["render"]]
    yield STEADY.format(slices=real[0]["slices"], renders=real[0]["n"])
    yield to_markdown_table(
        ("Changed", "Median change of probability", "Decisions flipped", "Into or out of indeterminate"),
        [[one["kind"], *(_text(one[name], 3) for name in ("change", "flips", "doubts"))] for one in real],
    )


def _refusals(entries: Sequence[Table]) -> str:
    rows = []
    for kind, title in GATE_KINDS.items():
        if not (chosen := [one["refused"] for one in entries if one["what"] == kind]):
            continue
        n = sum(one["n"] for one in chosen)
        refused = sum(round(one["value"] * one["n"]) for one in chosen)
        share = Estimate(refused / n, *exact_interval(refused, n), n)
        rows.append([title, f"{refused} of {n}", share.to_text(3)])
    return to_markdown_table(("Pictures", "Refused", "Share"), rows)


def _carried(training: Table) -> Iterator[str]:
    """Decisions of a calibration on the other sources, on slices and series; nothing without a pool."""
    if not (pool := parse_record(training)):
        return
    yield CARRIED
    for what, carried in (("Slices", pool.slices), ("Series", pool.series)):
        rows = [_shorten(to_carried_row(one)) for one in carried]
        yield to_markdown_table((f"{what} of", *CARRIED_HEAD[1:]), rows)
    yield TALLIES
    yield to_markdown_table(TALLY_HEAD, [_shorten(to_tally_row(one)) for one in pool.tallies])


def _shorten(row: Sequence[str]) -> list[str]:
    return [_source(row[0]), *row[1:]]


def _source(name: str) -> str:
    sources = to_sources(name)
    return f"`{name}`" if len(sources) == 1 else f"{len(sources)} small sources"


def _size(row: Table) -> str:
    return f"{row['slices']:,} ({row['positives']:,})"


def _text(values: Table | None, digits: int = 2) -> str:
    return "–" if values is None else Estimate(**values).to_text(digits)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
