"""Trainings of several recipes averaged: what a copied run is without."""

from __future__ import annotations

from pathlib import Path

from average_trainings import copy_run


def test_a_copied_run_leaves_out_what_came_of_other_weights(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "bundle").mkdir(parents=True)
    for name in ("checkpoint.pt", "best.safetensors", "model.onnx", "scores.csv", "home.csv"):
        (run / name).write_bytes(b"x")
    copy_run(run, tmp_path / "mean")
    assert sorted(path.name for path in (tmp_path / "mean").iterdir()) == [
        "best.safetensors",
        "checkpoint.pt",
    ]
