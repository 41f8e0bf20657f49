"""A bundle that records its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bundles import CONFIG_TABLE, write_tiny_bundle
from covidct.evaluation.report import Protocol, to_report
from covidct.evaluation.report_json import from_sections, to_figures
from covidct.evaluation.sections import Scored
from covidct.inference.bundle import write_sums
from covidct.inference.config import CONFIG

CHECK = {"title": "Labels", "level": "pass", "headline": "Nothing amiss."}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A tiny bundle that records its figures, as training leaves it."""
    folder = write_tiny_bundle(tmp_path / "bundle")
    rows = [
        Scored(
            f"{number}.png", number % 2, ("north", "south")[number // 2 % 2], f"p{number}", 0.1 * (number % 9)
        )
        for number in range(24)
    ]
    report = to_report(rows, Protocol("tiny", "1.2.3", "ab" * 32, "tune", 0.5, (0.4, 0.6)))
    training = {
        "recipe": {
            "name": "lung",
            "network": "mobilenet_v2",
            "size": 224,
            "seed": 1,
            "choose": "auc",
            "phases": [{"epochs": 2}],
            "data": {"block": 50},
        },
        "manifest_sha256": "ab" * 32,
        "splits": {"train": {"north": [3, 4], "south": [5, 6]}, "tune": {"north": [1, 2]}},
        "pretrained": None,
        "parity": {"float_logit": 1e-6, "float_auc": 0.9, "int8_auc": 0.89},
        "audit": {"level": "pass", "checks": [CHECK], "accepted": ""},
        "versions": {"covidct": "1"},
        "notes": "## As trained\n\nwith care",
        "figures": {"float": to_figures(report), "int8": to_figures(report)},
        "subgroups": {"Format": from_sections([replace(report.overall, name="PNG")])},
    }
    (folder / CONFIG).write_text(json.dumps(CONFIG_TABLE | {"training": training}))
    write_sums(folder)
    return folder
