"""TRIPOD+AI, the checklist for prediction models: its 27 items in 52 rows, and where they are answered.

After Collins et al., "TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use
regression or machine learning methods" (BMJ 2024;385:e078378), in the project's own words. Holds no figure of
a model.
"""

from __future__ import annotations

from covidct.evaluation.card.checklist_item import EXTERNAL, answered, inapplicable, left_open

TRIPOD = (
    answered("1", "title: made or measured, for whom, for what outcome", "card, first lines"),
    left_open(
        "2", "abstract, by a list of its own", "no abstract is written, so that list was not gone through"
    ),
    left_open(
        "3a",
        "context of care, reason for the model, models before it",
        "context of care and other models are hardly described; reason: docs/research/original.md",
    ),
    answered("3b", "for whom, for what, and used by whom", "card, Intended use and Misuse: no place in care"),
    left_open("3c", "known inequalities in health", "nothing is written of them; the data name no group"),
    answered("4", "aims: made, measured, or both", "both: card, first lines; docs/training/benchmark.md"),
    answered(
        "5a",
        "sources of data, why these, whom they represent",
        "docs/training/data.md; card, Data and Limits",
    ),
    left_open("5b", "dates", "2020 for most COVID-19 slices; not recorded by slice (docs/training/data.md)"),
    left_open(
        "6a",
        "setting, number and place of centres",
        "reported in part by one or two sets (docs/training/data.md)",
    ),
    left_open("6b", "who was eligible", "not stated for slices with COVID-19 (docs/training/data.md)"),
    left_open("6c", "treatments received", "not recorded"),
    answered(
        "7",
        "preparation and checks of the data, alike for all groups",
        "one graph for every slice (docs/reference/architecture.md); docs/training/audit.md",
    ),
    left_open(
        "8a",
        "outcome: what, how and when assessed, why it",
        "COVID-19 pneumonia by the set's label; how and when is reported in part (docs/training/data.md)",
    ),
    left_open("8b", "who judged the outcome, where that takes judgement", "not stated by the sets"),
    left_open("8c", "whether they were blinded", "not stated by the sets"),
    answered("9a", "which predictors, and how chosen", "pixels alone; no tag, age or sex is seen"),
    answered("9b", "how predictors are defined", "grey levels of the lung window (docs/guide/predict.md)"),
    inapplicable("9c", "who measured predictors that take judgement", "no predictor does"),
    left_open("10", "size of the study, and whether it suffices", "all there was; nothing was calculated"),
    answered(
        "11",
        "missing data, and what was left out",
        "docs/training/train.md; a slice is whole or refused (docs/guide/predict.md)",
    ),
    answered(
        "12a",
        "which data for what",
        "card, Data: train, tune, calibrate; left out: docs/training/benchmark.md",
    ),
    answered(
        "12b", "handling of predictors", "size and grey levels: in the graph (docs/reference/architecture.md)"
    ),
    answered(
        "12c",
        "type of model, building, tuning, internal validation",
        "recipe in config.json; docs/training/train.md; docs/research/experiments.md",
    ),
    answered(
        "12d", "differences between places: how measured", "docs/training/benchmark.md; figures by source"
    ),
    answered(
        "12e",
        "measures and plots",
        "covidct/stats/metrics.py; docs/training/train.md; docs/training/benchmark.md",
    ),
    inapplicable("12f", "updating after evaluation", "none is done: thresholds are frozen before"),
    answered("12g", "how predictions were computed", "by the exported graphs (docs/training/benchmark.md)"),
    answered(
        "13",
        "class imbalance, and recalibration after it",
        "drawn alike (docs/training/train.md); card, From logit to decision, and Limits",
    ),
    left_open("14", "what was done for fairness, and why", "nothing: groups of people are unknown"),
    answered(
        "15", "output, its classes and thresholds", "card, From logit to decision; docs/guide/predict.md"
    ),
    left_open(
        "16",
        "how training and evaluation data differ",
        "settings and eligibility are unknown; labels and files by source: card, Data and Audit",
    ),
    left_open("17", "ethical approval and consent", "that of the sets' makers, not looked up for each"),
    left_open("18a", "funding, and the role of funders", "nothing is stated"),
    left_open("18b", "conflicts of interest", "nothing is stated"),
    answered(
        "18c",
        "where the protocol is, or that there is none",
        "none was published; aims: docs/training/benchmark.md",
    ),
    answered("18d", "registration, or that there is none", "not registered"),
    answered("18e", "availability of data", "at their makers, on their terms (docs/training/data.md)"),
    answered("18f", "availability of code", "this repository, Apache-2.0"),
    answered("19", "part of patients and public, or that they had none", "they had none"),
    left_open(
        "20a",
        "flow of participants, with and without the outcome",
        "patients and slices left out are not counted; slices used: card, Data",
    ),
    left_open("20b", "who they are, by source", "unknown for most slices"),
    left_open(
        "20c", "evaluation data beside those of development", "labels by source alone; of patients nothing"
    ),
    answered("21", "numbers in each analysis", "slices, COVID-19 and patients: card, Data and Figures"),
    answered(
        "22", "the full model, and terms of use", "graphs and config.json of the bundle; card, Licences"
    ),
    left_open(
        "23a",
        "performance with intervals, key subgroups too",
        "by groups of people only where a manifest names them; the rest: card, Figures, Subgroups, External",
    ),
    answered(
        "23b",
        "differences between places: results",
        "card, Figures by source, and External",
        needs=EXTERNAL,
    ),
    inapplicable("24", "results of updating", "none was done"),
    answered(
        "25",
        "interpretation: aims, earlier studies, fairness",
        "README; docs/training/benchmark.md, Published figures; fairness: card, Limits",
    ),
    answered(
        "26",
        "limits, and what they do to the figures",
        "card, Limits; docs/training/benchmark.md, What may leak",
    ),
    answered("27a", "poor or missing input at use", "refused with a reason (docs/guide/predict.md)"),
    left_open(
        "27b",
        "what users must do, and know",
        "which expertise its users need is not said; what to give it: docs/guide/predict.md",
    ),
    answered("27c", "next steps", "docs/research/experiments.md, Not tried yet"),
)
