"""Two checklists for reports on medical AI: each item with where it is answered, or why it is open.

The rows are data, in the project's own words; `scripts/docs` writes them out in full
(docs/checklists.md), and the model card sums them up. Sources: Tejani et al., "Checklist for
Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update" (Radiology: Artificial Intelligence
2024); Collins et al., "TRIPOD+AI statement" (BMJ 2024).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from covidct.train.tables import to_markdown_table


@dataclass(frozen=True)
class Item:
    """One item: its `number`, what it `asks` for, and where the answer is; or, where `is_open`, why not.

    `needs` is what has to be measured after a bundle was made, before the item is answered.
    """

    number: str
    asks: str
    answer: str
    is_open: bool = False
    needs: str = ""


ABROAD, EXAMINED = "sources left out", "an examination"


def _answered(number: str, asks: str, answer: str, needs: str = "") -> Item:
    return Item(number, asks, answer, needs=needs)


def _open(number: str, asks: str, why: str) -> Item:
    return Item(number, asks, why, is_open=True)


CLAIM = (
    _answered("1", "named as a study of AI, and of which kind", "card, first lines; How it was made"),
    _answered("2", "a summary with the main figures", "card, the two lines on AUC"),
    _answered("3", "background, intended use and role", "card, Intended use; README"),
    _answered("4", "aims", "docs/benchmark.md: does it hold on a source left out?"),
    _answered("5", "prospective or retrospective", "retrospective: public sets only (card, Data)"),
    _answered("6", "goal of the study", "card, Intended use: research and teaching"),
    _answered("7", "sources of the data", "card, Data and Licences"),
    _open(
        "8", "who was included and left out", "the public sets say little; rules for rows are in the recipe"
    ),
    _answered("9", "preparation of the pictures", "docs/architecture.md: all of it is inside the graph"),
    _answered("10", "which parts of the data were used", "card, Data; labels and notes left out: recipe"),
    _open("11", "how the data were de-identified", "done by whoever published them, not checked here"),
    _answered(
        "12", "what was done about missing data", "rows without a label are passed over (docs/training.md)"
    ),
    _open("13", "how the pictures were taken", "scanner and protocol are unknown for nearly all slices"),
    _answered(
        "14", "what the reference standard is", "the label of the public set, by slice (docs/benchmark.md)"
    ),
    _open("15", "why that standard", "no other exists for these sets"),
    _open("16", "who annotated", "known for the lesion masks alone; PCR or reader is not stated by slice"),
    _open("17", "how the test set was annotated", "as the rest of its set; nobody read it again"),
    _open("18", "how far readers agree", "no set has two readings of a slice"),
    _answered("19", "how slices were assigned to splits", "docs/training.md; card, Data"),
    _answered("20", "at what level splits are disjoint", "patient, or neighbours in number; audit, Splits"),
    _open("21", "how large the test set had to be", "all there was; the audit says what so many can bear"),
    _answered("22", "the model, in full", "recipe in config.json; covidct/train; the graph itself"),
    _answered("23", "software and versions", "card, How it was made"),
    _answered("24", "initial weights", "card, How it was made, with their digest"),
    _answered("25", "how it was trained", "recipe in config.json; covidct/train/fit.py"),
    _answered("26", "how the final model was chosen", "card, How it was made; docs/experiments.md"),
    _answered("27", "ensembles", "none ships; docs/benchmark.md shows averaged logits of seeds"),
    _answered("28", "measures of performance", "card, Figures; covidct/metrics.py"),
    _answered("29", "uncertainty", "95 % intervals over patients beside every figure"),
    _answered("30", "robustness", "card, What it looks at, and how steady it is (covidct examine)", EXAMINED),
    _answered(
        "31",
        "explanation, and whether it was tested",
        "the same: pointing, lungs blacked out, shuffled weights",
        EXAMINED,
    ),
    _answered("32", "test on data from home", "card, Figures on tune; optimistic, as it says"),
    _answered("33", "test on data from elsewhere", "card, Abroad: sources left out of training", ABROAD),
    _open("34", "registration of a trial", "no trial: nothing was tried on patients"),
    _answered("35", "flow of cases", "card, Data: slices by split and source"),
    _open(
        "36",
        "who the patients are",
        "age and sex are unknown for most; by subgroup where a manifest has them",
    ),
    _answered("37", "figures on each split", "card, Figures; train and calibrate only by covidct evaluate"),
    _answered("38", "accuracy and its precision", "card, Figures and Abroad, with n"),
    _answered(
        "39", "analysis of failures", "mistakes.png of every evaluation; synthetic failures, where drawn"
    ),
    _answered("40", "limits", "card, Limits"),
    _answered("41", "what follows for practice", "card, Misuse: nothing for care, as yet"),
    _open("42", "a protocol written beforehand", "aims were fixed beforehand, but in no register"),
    _answered("43", "where software, model and data are", "this repository; data at their makers"),
    _open("44", "funding, and its role", "nothing is stated"),
)

TRIPOD = (
    _answered("1", "title that says development or evaluation", "card, first lines"),
    _answered("2", "summary", "card, the two lines on AUC"),
    _answered("3a", "context of care", "README"),
    _answered("3b", "for whom and for what", "card, Intended use"),
    _open("3c", "known inequalities in care", "the data name no group that could be compared"),
    _answered("4", "aims", "docs/benchmark.md"),
    _answered("5a", "sources of data", "card, Data"),
    _open("5b", "dates", "2020 for most COVID-19 slices; not recorded by slice"),
    _open(
        "6a", "setting and places", "one set is from hospitals in São Paulo; papers' figures have no place"
    ),
    _open("6b", "who was eligible", "not stated by the sets"),
    _open("6c", "treatments received", "not recorded"),
    _answered(
        "7", "preparation of data, alike for all groups", "docs/architecture.md: one graph for every slice"
    ),
    _answered(
        "8a", "outcome, and how it was found", "COVID-19 by the set's label; when and how is not stated"
    ),
    _open("8b", "who judged the outcome", "not stated by the sets"),
    _open("8c", "whether they were blinded", "not stated by the sets"),
    _answered("9a", "which predictors, and why", "pixels alone; no tag, age or sex is seen"),
    _answered("9b", "how predictors are defined", "grey levels of the lung window (docs/predict.md)"),
    _answered("9c", "subjective predictors", "none"),
    _open("10", "sample size and why", "all there was"),
    _answered("11", "missing data", "a slice is whole or refused (docs/predict.md)"),
    _answered("12a", "which data for what", "card, Data: train, tune, calibrate; sources left out"),
    _answered("12b", "handling of predictors", "inside the graph"),
    _answered("12c", "type of model, its building and checking", "recipe; docs/benchmark.md"),
    _answered("12d", "differences between places", "card, figures by source, and Abroad", ABROAD),
    _answered("12e", "measures", "AUC, calls, calibration; covidct/metrics.py"),
    _answered("12f", "updating after evaluation", "none: thresholds are frozen before"),
    _answered("12g", "how predictions were computed", "by the exported graphs that ship"),
    _answered("13", "class imbalance", "drawn alike (docs/training.md); what probabilities hold for: Limits"),
    _open("14", "fairness", "subgroups by file only; groups of people are unknown"),
    _answered("15", "output, and its classes and thresholds", "card, From logit to decision"),
    _answered("16", "how training and evaluation data differ", "card, Data; audit, Source and label"),
    _open("17", "ethical approval", "public data; approval is their makers', not looked up for each"),
    _open("18a", "funding", "nothing is stated"),
    _open("18b", "conflicts of interest", "nothing is stated"),
    _open("18c", "protocol", "aims were fixed beforehand, but published nowhere"),
    _open("18d", "registration", "none"),
    _answered("18e", "availability of data", "at their makers, on their terms (card, Licences)"),
    _answered("18f", "availability of code", "this repository, Apache-2.0"),
    _open("19", "patients and public in the study", "none took part"),
    _answered("20a", "flow of participants", "card, Data; patients where ids are known"),
    _open("20b", "who they are", "unknown for most slices"),
    _open("20c", "development beside evaluation", "by source and file alone"),
    _answered("21", "numbers in each analysis", "n, COVID-19 and patients beside every figure"),
    _answered("22", "the full model", "graphs and config.json of the bundle"),
    _answered("23a", "performance with intervals, subgroups too", "card, Figures, Subgroups, Abroad", ABROAD),
    _answered("23b", "differences between places", "card, Abroad, by source", ABROAD),
    _answered("24", "results of updating", "none was done"),
    _answered("25", "interpretation beside other studies", "docs/benchmark.md, published figures"),
    _answered("26", "limits", "card, Limits"),
    _answered("27a", "poor or missing input at use", "refused with a reason (docs/predict.md)"),
    _answered("27b", "what users must do and know", "card, Misuse"),
    _answered("27c", "next steps", "docs/experiments.md"),
)
UNMEASURED = "not measured for this card"
CHECKLISTS = {"CLAIM (2024 update)": CLAIM, "TRIPOD+AI": TRIPOD}


def sum_up(*, without: Collection[str] = ()) -> str:
    """The card's section: how many items of each list are answered, and those that are open, with why.

    `without` is what was not measured for this card: items that need it are open.
    """
    parts = ["## Checklists\n", "All items with their answers: docs/checklists.md of the project.\n"]
    for name, listed in CHECKLISTS.items():
        items = [
            replace(item, answer=UNMEASURED, is_open=True) if item.needs in without else item
            for item in listed
        ]
        unanswered = [item for item in items if item.is_open]
        parts += [f"{name}: {len(items) - len(unanswered)} of {len(items)} items answered. Open:\n"]
        rows = [[f"{item.number}: {item.asks}", item.answer] for item in unanswered]
        parts += [to_markdown_table(("Open item", "Why"), rows, words=True), ""]
    return "\n".join(parts)


def to_markdown() -> str:
    """Both lists in full."""
    parts = [
        "# Checklists\n\nMade by `scripts/docs` from `covidct/train/checklist.py`; a test compares. *Card* "
        "is the model card of the bundle (`covidct info --card`). The items are in short, in our own words.\n"
    ]
    for name, items in CHECKLISTS.items():
        rows = [
            [item.number, item.asks, f"**open**: {item.answer}" if item.is_open else item.answer]
            for item in items
        ]
        parts += [
            f"## {name}\n",
            to_markdown_table(("Item", "Asks for", "Where answered"), rows, words=True),
            "",
        ]
    return "\n".join(parts)
