"""CLAIM, the checklist for AI in medical imaging, 2024 update: its 44 items, and where they are answered.

After Tejani et al., "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update"
(Radiology: Artificial Intelligence 2024;6(4):e240300), in the project's own words. Holds no figure of a
model.
"""

from __future__ import annotations

from covidct.evaluation.card.checklist_item import (
    EXAMINED,
    EXTERNAL,
    FAILURES,
    answered,
    inapplicable,
    left_open,
)

CLAIM = (
    answered("1", "named as a study of AI, and of which kind", "card, first lines"),
    left_open(
        "2",
        "a structured summary: design, data, methods, results, conclusions",
        "no abstract is written; the card begins with figures alone",
    ),
    left_open(
        "3",
        "background, current practice, and the role the model is for",
        "the role of CT in COVID-19 and related work are hardly described; the model's: card, Intended use",
    ),
    answered(
        "4",
        "aims and hypotheses",
        "docs/training/benchmark.md: does it generalise to a source left out? Aims are figures",
    ),
    answered("5", "prospective or retrospective", "retrospective: card, first lines"),
    answered(
        "6", "kind of study, and its goal", "a model is made and measured: card, Intended use and Misuse"
    ),
    answered("7", "sources of the data", "docs/training/data.md; card, Data"),
    left_open(
        "8",
        "inclusion and exclusion criteria: who, where, when and in what order",
        "the sets' makers chose patients and slices, and say little about how (docs/training/data.md)",
    ),
    answered(
        "9", "preprocessing of the images", "docs/reference/architecture.md: all of it is inside the graph"
    ),
    left_open(
        "10",
        "how raw data were selected, and by whom",
        "how single slices of a scan were picked is not reported; the crop to the lungs is in the graph",
    ),
    left_open("11", "how the data were de-identified", "done by whoever published them, not checked here"),
    answered(
        "12",
        "how missing data were handled",
        "rows without a label are passed over, neighbours stand in for patient ids (docs/training/train.md)",
    ),
    left_open("13", "how images were acquired", "scanner and protocol are unknown for nearly all slices"),
    left_open(
        "14",
        "how the reference standard was obtained",
        "the label of the set, by slice; whether by PCR, reader or caption is stated in part "
        "(docs/training/data.md)",
    ),
    left_open(
        "15",
        "why that reference standard, and its errors",
        "as given by the sets: no other was available, and label errors are not estimated",
    ),
    left_open(
        "16",
        "who the annotators were, and their expertise",
        "stated for outlines of lesions alone (docs/training/data.md)",
    ),
    left_open("17", "how the test set was annotated", "as the rest of its set; nobody read it again"),
    left_open("18", "agreement between annotators", "no set has two readings of COVID-19 in a slice"),
    answered(
        "19",
        "how slices were assigned to splits",
        "docs/training/train.md; docs/training/audit.md; card, Data",
    ),
    answered(
        "20", "at what level splits are disjoint", "patient, or neighbours in number: card, Data and Audit"
    ),
    left_open("21", "sample size of the test set", "all slices available; no size was planned"),
    answered(
        "22",
        "the model, in full",
        "docs/reference/architecture.md; covidct/training; config.json; the graph itself",
    ),
    answered("23", "software and versions", "card, How it was made; constraints.txt"),
    answered(
        "24",
        "initial weights",
        "card, How it was made, with their digest; covidct/training/networks/build.py",
    ),
    answered(
        "25", "how it was trained", "docs/training/train.md; recipe in config.json; covidct/training/fit.py"
    ),
    answered(
        "26",
        "how the final model was chosen",
        "card, How it was made; docs/research/experiments.md; what the choice had seen: "
        "docs/training/benchmark.md",
    ),
    inapplicable("27", "ensembles", "a bundle is one network; averaged logits are only measured"),
    answered(
        "28",
        "performance measures, beside published models",
        "covidct/stats/metrics.py; card, Figures; docs/training/benchmark.md, Published figures",
    ),
    answered(
        "29",
        "uncertainty, and tests of significance",
        "95 % intervals over patients; recipes are compared by a paired bootstrap: card, External",
        needs=EXTERNAL,
    ),
    answered(
        "30", "robustness", "card, What it looks at, and how steady it is (covidct examine)", needs=EXAMINED
    ),
    answered(
        "31",
        "explanation, and whether it was tested",
        "the same: pointing, lungs blacked out, shuffled weights",
        needs=EXAMINED,
    ),
    left_open(
        "32",
        "internal test, and how it compares with training",
        "tune alone, which chose thresholds (card, Figures); nothing is given on train",
    ),
    answered(
        "33",
        "external test",
        "card, External: of models trained without one source each; the shipped one was trained on all",
        needs=EXTERNAL,
    ),
    inapplicable("34", "registration of a clinical trial", "not a clinical trial"),
    left_open(
        "35",
        "how many were included and excluded",
        "excluded slices are not counted and no flow chart is drawn; those used: card, Data",
    ),
    left_open(
        "36",
        "who the patients of each split are",
        "age and sex are unknown for most; by subgroup where a manifest has them",
    ),
    left_open(
        "37",
        "performance on every split, and by subgroup",
        "not on train, nor by age, sex or ethnicity where unknown; the rest: card, Figures and External",
    ),
    answered(
        "38",
        "diagnostic accuracy and its precision",
        "card, Figures and External, by source, with intervals",
    ),
    answered(
        "39",
        "analysis of failures",
        "card, Failures on synthetic slices; on slices of your own: covidct evaluate (mistakes.png)",
        needs=FAILURES,
    ),
    answered("40", "limits", "card, Limits"),
    answered("41", "implications for practice", "none for care yet: card, Misuse"),
    answered(
        "42",
        "where a full protocol or further details are",
        "docs/training/benchmark.md, Protocol; docs/training/train.md",
    ),
    answered(
        "43",
        "where software, model and data are, on what terms",
        "this repository; data at their makers (docs/training/data.md); card, Licences",
    ),
    left_open("44", "funding, and the role of funders", "nothing is stated"),
)
