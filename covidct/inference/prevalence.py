"""What answers are worth where COVID-19 is rarer, or more common, than assumed in calibration.

Only the mix is assumed to differ: slices with COVID-19 look the same, and so do all others (label shift;
Elkan, IJCAI 2001; Saerens et al., Neural Computation 2002). In another hospital slices look different, too,
which no formula can correct. Knows the arithmetic only.
"""

from __future__ import annotations

from covidct.types import AtPrevalence, OperatingPoint


def to_prevalence(
    probability: float, point: OperatingPoint, *, prevalence: float, calibrated_at: float
) -> AtPrevalence:
    """An answer at another prevalence; `probability` in [0, 1] holds at `calibrated_at`, in (0, 1).

    Raises ValueError for a prevalence outside (0, 1).
    """
    ppv, npv = predictive_values(point.sensitivity, point.specificity, prevalence=prevalence)
    return AtPrevalence(
        prevalence=prevalence,
        probability=shift_probability(probability, prevalence=prevalence, calibrated_at=calibrated_at),
        ppv=ppv,
        npv=npv,
    )


def shift_probability(probability: float, *, prevalence: float, calibrated_at: float) -> float:
    """The probability whose odds are those given times odds(prevalence) / odds(calibrated_at).

    `probability` in [0, 1], the others in (0, 1). Raises ValueError for a prevalence outside.
    """
    check_prevalence(prevalence)
    # Without odds, which are infinite at 1.
    ill = probability * prevalence / calibrated_at
    well = (1 - probability) * (1 - prevalence) / (1 - calibrated_at)
    return ill / (ill + well)


def predictive_values(
    sensitivity: float, specificity: float, *, prevalence: float
) -> tuple[float | None, float | None]:
    """PPV and NPV by Bayes' rule, all in [0, 1]; None where nothing is called positive, or negative.

    Raises ValueError for a prevalence outside (0, 1).
    """
    check_prevalence(prevalence)
    true, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    cleared, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    ppv = true / (true + false) if true + false else None
    npv = cleared / (cleared + missed) if cleared + missed else None
    return ppv, npv


def check_prevalence(prevalence: float) -> None:
    """Raise ValueError for what is no prevalence, in (0, 1)."""
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence is {prevalence}: it must lie between 0 and 1, exclusive")
