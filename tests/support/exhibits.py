"""What the audit's surfaces are tested with: every level, every kind of evidence, and nasty names."""

from __future__ import annotations

import numpy as np

from covidct.audit.verdict import Audit, Bars, Check, Curve, Figure, Finding, Level, Pair, Table
from covidct.errors import ReadError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Estimate, Pixels

MARKUP = "a/<script>alert(1)</script>&\"'<b>.png"
CONTROL = "b/\x1b[31mred\r\n\x00\u202egnp.exe"
SURROGATE = "c/\udcff-latin1.png"
LONG = "d/" + "very-long-folder-name/" * 20 + "slice.png"
IDEOGRAPHS = "武汉/" + "切片" * 60 + ".png"
FORMULA = "e/$x^2$ @0@ {{ 7*7 }}.png"
NASTY = (MARKUP, CONTROL, SURROGATE, LONG, IDEOGRAPHS, FORMULA)
MISSING = "lost/absent.png"


def show_picture(path: str) -> Pixels:
    """A phantom for every path but one."""
    if path == MISSING:
        raise ReadError(f"{path}: no such file")
    kind = Phantom.LESIONS if len(path) % 2 else Phantom.NORMAL
    return to_display(draw_phantom(kind, seed=len(path), size=224))[: 224 - 4 * (len(path) % 9)]


def make_audit() -> Audit:
    return Audit(
        subject="data/manifest.csv",
        digest="5f0c" * 16,
        slices=2305,
        positives=1109,
        checks=(readable(), labels(), copies(), shortcuts(), names()),
    )


def readable() -> Check:
    return Check(
        name="files",
        title="Files",
        headline="All 2,305 files can be read, and say truly which format they have.",
        findings=(Finding(Level.PASS, "All 2,305 files can be read."),),
    )


def labels() -> Check:
    rows = (
        ("covid-ct", "543", "251", "46 %"),
        ("sarscov2-ct", "1,220", "616", "50 %"),
        (MARKUP, "300", "0", "0 %"),
    )
    return Check(
        name="labels",
        title="Labels and sources",
        headline="One of four sources has one class only: what tells it apart tells the label.",
        advice="Leave the source out of training, or add slices of the other class from the same hospital.",
        findings=(
            Finding(Level.WARN, "luna16 has no slice with COVID-19 (300 slices)."),
            Finding(Level.PASS, "Both classes have more than 500 slices."),
        ),
        tables=(
            Table("Slices by source", ("Source", "Slices", "COVID-19", "Share"), rows),
            Table("Patients in several sources", ("Patient", "Sources"), ()),
        ),
        bars=(
            Bars(
                "Slices by source and label",
                ("covid-ct", "sarscov2-ct", MARKUP, "武汉市第一医院", "$empty$"),
                ((251, 292), (616, 604), (0, 300), (242, 0), (0, 0)),
            ),
        ),
    )


def copies() -> Check:
    return Check(
        name="copies",
        title="Copies across splits",
        headline="34 slices of the test split are also in train, most of them saved a second time as JPEG; "
        "two carry another label there.",
        advice="Remove one of each pair, and decide which label is right where they disagree.",
        findings=(
            Finding(Level.FAIL, "2 pictures have both labels.", ("covid/71%0.jpg", "non-covid/71%0.jpg")),
            Finding(
                Level.FAIL, "34 pictures are in several splits.", tuple(f"set/{i:04}.png" for i in range(34))
            ),
            Finding(Level.WARN, "Names that are hard to print.", NASTY),
        ),
        figures=(Figure("Test slices also in train", "share of slices", Estimate(0.167, 0.118, 0.226, 203)),),
        pairs=(
            Pair(
                "set/0001.png", "set/0034.jpg", ("test, COVID-19", "train, COVID-19"), "The same grey levels."
            ),
            Pair(
                "covid/71%0.jpg",
                MISSING,
                ("test, COVID-19", "train, other"),
                "Both labels; distance 2 of 64 bits.",
            ),
            Pair(MARKUP, LONG, ("<i>train</i>", "test"), "Names that a page must stand."),
        ),
    )


def shortcuts() -> Check:
    return Check(
        name="shortcuts",
        title="Shortcuts",
        headline="The label can be told without looking at a lung: from file size, width and format alone, "
        "with an AUC of 0.97.",
        advice="Save all slices in one format, size and colour mode before training, and report this figure "
        "beside the network's.",
        findings=(
            Finding(Level.FAIL, "The file's header tells the label (AUC 0.97, 95 % interval from 0.96)."),
        ),
        figures=(
            Figure("Header", "AUC", Estimate(0.974, 0.962, 0.985, 2305)),
            Figure("Border, 4 pixels", "AUC", Estimate(0.741, 0.701, 0.779, 2305)),
            Figure("Shuffled labels", "AUC", Estimate(0.503, 0.462, 0.541, 2305)),
            Figure(
                "A perfect one",
                "AUC",
                Estimate(1.0, None, None, 20, "no interval: the same in every resample"),
            ),
            Figure("luna16", "AUC", Estimate(None, None, None, 300, "undefined: no COVID-19 slices")),
        ),
        curves=tuple(
            make_curve(f"{name}: AUC {auc}", bend)
            for name, auc, bend in (
                ("header", "0.97 (0.96–0.98)", 0.03),
                ("border, 4 pixels", "0.74 (0.70–0.78)", 0.35),
                ("histogram <of> grey levels & $more$", "0.68 (0.64–0.72)", 0.5),
                ("shuffled labels", "0.50 (0.46–0.54)", 1.0),
            )
        ),
    )


def names() -> Check:
    return Check(
        name="patients",
        title="Patients: a check with a title that is longer than one would like it to be, 武汉",
        headline=f"A name inside a sentence: {MARKUP}, and a {'w' * 150}.",
        advice="Fill in the column patient_id.",
        findings=(
            Finding(Level.WARN, "1,220 slices have no patient.", tuple(f"{i}.png" for i in range(1220))),
        ),
        tables=(
            Table(
                "A wide table",
                ("Source", *(f"Column {i}" for i in range(14))),
                tuple((f"source {i}", *(f"{i * k:,}" for k in range(14))) for i in range(4)),
            ),
        ),
    )


def make_curve(name: str, bend: float) -> Curve:
    """A smooth ROC curve; the smaller `bend` in (0, 1], the better."""
    x = np.linspace(0, 1, 60)
    return Curve(name, x, x**bend)
