"""Common names of class folders, splits and masks: `CT_COVID`, `Normal`, `val`, `masks`.

Compares whole names, never parts of them: "covid" also occurs in `non-covid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from covidct.data.manifest import DataPlan, to_plain

# In small letters and digits alone.
POSITIVE = frozenset(
    (
        *("covid", "covid19", "ctcovid", "covidct", "covid19ct", "ctcovid19", "cov", "ncov", "sarscov2"),
        *("covidpositive", "covid19positive", "positivecovid", "covidpos", "positive", "pos", "1"),
    )
)
NEGATIVE = frozenset(
    (
        *("noncovid", "noncovid19", "ctnoncovid", "noncovidct", "notcovid", "nocovid", "nocovid19", "noncov"),
        *("covidnegative", "covid19negative", "negativecovid", "covidneg", "negative", "neg", "0"),
        *("normal", "healthy", "control", "controls", "ctnormal", "nolesion"),
    )
)
SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("tune", "val", "valid", "validation", "dev"), "tune"),
    **dict.fromkeys(("calibrate", "calibration"), "calibrate"),
    **dict.fromkeys(("test", "testing"), "test"),
}

# Folders of drawn lungs and lesions, inside of class folders.
MASKS = frozenset(
    (
        *("mask", "masks", "lung", "lungs", "lungmask", "lungmasks", "infection", "infections"),
        *("infectionmask", "infectionmasks", "lesion", "lesions", "lesionmask", "lesionmasks"),
        *("segmentation", "segmentations", "annotation", "annotations"),
    )
)


def is_masks(name: str) -> bool:
    """Whether a folder of this name, beside one of slices, holds masks of them."""
    return to_plain(name) in MASKS


def guess_split(name: str) -> str:
    """The split that a folder of this name holds, "" where it is none."""
    return SPLITS.get(to_plain(name), "")


def guess_labels(names: Iterable[str], plan: DataPlan) -> dict[str, str]:
    """The label of the plan that each name means; {} if that is not clear for all of them.

    Names that are labels stand for themselves. Others are guessed only if there is one name per class,
    however it is spelt: with `COVID`, `Normal` and `Pneumonia` the meaning of the third is unclear. Of two
    names, one of which was said to be positive, the other is negative.
    """
    known = {name: name for name in names if name in plan.labels}
    rest = {name: to_plain(name) for name in names if name not in plan.labels}
    if not rest:
        return known
    positive = {plain for plain in rest.values() if plain in POSITIVE}
    negative = {plain for plain in rest.values() if plain in NEGATIVE}
    positive |= {to_plain(name) for name in known if name in plan.positive}
    negative |= {to_plain(name) for name in known if name in plan.negative}
    is_said = plan.positive != DataPlan().positive and not known.keys().isdisjoint(plan.positive)
    if is_said and len(rest) == len(known) == 1:
        return known | dict.fromkeys(rest, plan.negative[0])
    if max(len(positive), len(negative)) > 1 or not {*rest.values()} <= positive | negative:
        return {}
    return known | {
        name: (plan.positive if plain in positive else plan.negative)[0] for name, plain in rest.items()
    }
