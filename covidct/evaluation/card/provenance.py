"""What the model card says of data, audit, terms and making: all from what the run recorded.

Knows nothing of figures.
"""

from __future__ import annotations

from covidct.evaluation.card.record import AuditFacts, Making, RecipeFacts

MAPS = {
    "mobilenet_v2": "The evidence map's mean, with the bias, is the logit.",
    "lung_net": (
        "It finds the lungs first and counts nothing else. "
        "The evidence map's mean, with the bias, is the logit."
    ),
    "opacity_net": (
        "It finds the lungs first and counts nothing else. It asks whether there is an opacity and whether "
        "that is typical of COVID-19; the evidence map's mean, with the bias, is the logit of the first."
    ),
    "six_layers": "Its dense layers know no place: its evidence map is one cell, the logit itself.",
}


def describe_data(making: Making) -> str:
    """Slices by split and source, with the manifest's digest."""
    lines = [f"| Source | {' | '.join(making.splits)} |", f"|---|{'---|' * len(making.splits)}"]
    for source in making.sources:
        cells = ("{} / {}".format(*by_source.get(source, (0, 0))) for by_source in making.splits.values())
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join(
        [
            "## Data\n",
            "Slices with COVID-19 / without, by split. Splits that the manifest does not bring divide no "
            f"patient; without ids, {_stand_in(making.block)}. Manifest SHA-256 "
            f"`{making.manifest_digest}`.\n",
            *lines,
            "",
        ]
    )


def _stand_in(block: int) -> str:
    """What stood in for a patient."""
    if block == 1:
        return "each slice stands for one, which holds only where no two are of one patient"
    return f"{block} neighbours in number stand in for one"


def describe_audit(audit: AuditFacts) -> str:
    """What `covidct audit` said of the data, and why they were used all the same."""
    lines = [f"- {check.title}: **{check.level}**. {check.headline}" for check in audit.checks]
    reason = f"Trained on all the same, because: {audit.accepted}\n" if audit.accepted else ""
    return "\n".join([f"## Audit of the data: {audit.level}\n", *lines, "", *([reason] if reason else [])])


def describe_licences(making: Making) -> str:
    """On what terms code, weights and data may be used."""
    names = ", ".join(f"`{source}`" for source in making.sources)
    return (
        "## Licences\n\nThe code is Apache-2.0. The data have terms of their own "
        f"(look up those of {names}): "
        "take these weights as for non-commercial research only. No image of the data is part of the "
        "bundle.\n"
    )


def describe_making(making: Making) -> str:
    """Recipe, pretrained weights, parity of the graphs and versions."""
    recipe, parity, pretrained = making.recipe, making.parity, making.pretrained
    origin = f"`{pretrained.origin}` (SHA-256 `{pretrained.sha256[:16]}…`)" if pretrained else "none"
    versions = ", ".join(f"{name} {number}" for name, number in making.versions.items())
    return "\n".join(
        [
            "## How it was made\n",
            f"- Recipe `{recipe.name}`: {recipe.network}, {recipe.size} x {recipe.size} pixels, "
            f"seed {recipe.seed}, {recipe.epochs} epochs at most, "
            f"{_chosen(recipe)}. {MAPS[recipe.network]}",
            f"- Pretrained backbone (ImageNet-1k): {origin}.",
            f"- Parity: float graph within {parity.float_logit:.1e} of torch's logit; AUC on all "
            f"of `tune`, refused ones too, {parity.float_auc:.4f} float, {parity.int8_auc:.4f} int8.",
            f"- Versions: {versions}.",
            "",
        ]
    )


def _chosen(recipe: RecipeFacts) -> str:
    return "the last one kept" if recipe.keeps_last else "best one by `tune`"
