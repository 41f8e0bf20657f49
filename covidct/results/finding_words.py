"""What the lungs show, for people: in the words of the RSNA consensus, and in short. Knows words only."""

from __future__ import annotations

from covidct.types import Finding, Opacity

WORDS = {
    Finding.NEGATIVE: "Negative for pneumonia",
    Finding.ATYPICAL: "Atypical appearance",
    Finding.INDETERMINATE: "Indeterminate appearance",
    Finding.TYPICAL: "Typical appearance",
}
# Beside a decision, which has a "negative" and an "indeterminate" of its own.
CAPTIONS = {
    Finding.NEGATIVE: "no opacity",
    Finding.ATYPICAL: "atypical opacity",
    Finding.INDETERMINATE: "indeterminate opacity",
    Finding.TYPICAL: "typical opacity",
}


def to_finding_sentence(opacity: Opacity | None) -> str:
    """The finding in a sentence; nothing where the model does not say."""
    if opacity is None or opacity.finding is None:
        return ""
    if opacity.finding is Finding.NEGATIVE:
        return f"{WORDS[opacity.finding]}: no opacity seen."
    return f"{WORDS[opacity.finding]}: opacities in {opacity.extent:.0%} of the lungs."
