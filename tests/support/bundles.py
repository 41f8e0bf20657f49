"""A bundle made in code: tiny graphs whose answers are known, so that tests need no trained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from covidct.inference.bundle import CARD, GRAPHS, REFERENCE, write_sums
from covidct.inference.config import CONFIG
from covidct.inference.reference import to_reference
from covidct.inference.session import Session
from covidct.types import Precision

TEMPERATURE, SHIFT = 2.0, 0.1
BIASES: dict[Precision, float] = {"float": 0.25, "int8": 0.3}
CONFIG_TABLE: dict[str, Any] = {
    "format": 2,
    "name": "tiny",
    "version": "1.2.3",
    "labels": {"positive": "covid", "negative": "non-covid"},
    "window": [-600, 1500],
    "temperature": TEMPERATURE,
    "shift": SHIFT,
    "prevalence": 0.5,
    "operating_points": [
        {
            "name": "balanced",
            "threshold": 0.5,
            "band": [0.4, 0.6],
            "sensitivity": 0.9,
            "specificity": 0.8,
            "alpha": [0.1, 0.1],
            "coverage": [0.95, 0.9],
        },
        {
            "name": "sensitive",
            "threshold": 0.1,
            "band": [0.1, 0.1],
            "sensitivity": 0.99,
            "specificity": 0.5,
            "alpha": [0.05, 0.1],
            "coverage": [0.99, 0.6],
        },
    ],
    "training": {"note": "made in code"},
}


CUTOFFS: dict[str, Any] = {"temperature": 1.0, "shift": 0.0, "opacity": 0.5, "typical": [-1.0, 1.0]}
# Of a bundle that asks two questions.
TWO_QUESTIONS: dict[str, Any] = {
    "findings": CUTOFFS,
    "series": {
        "temperature": 1.0,
        "shift": 0.5,
        "operating_points": CONFIG_TABLE["operating_points"],
        "findings": CUTOFFS,
    },
}


def tiny_graph(bias: float, *, asks_twice: bool = False) -> bytes:
    """`slices` (N, H, W) uint8 -> `map` (N, 4, 4), (grey - 128) / 16 per cell; `logit` = mean(map) + bias.

    With two questions `opacity` is that, `typical` its opposite, `extent` its sigmoid, and `logit` the sum of
    the first and the last.
    """
    constants: dict[str, NDArray[Any]] = {
        "channel": np.array([1], np.int64),
        "sizes": np.array([16, 16], np.int64),
        "middle": np.array(128, np.float32),
        "scale": np.array(16, np.float32),
        "cells": np.array([1, 2], np.int64),
        "bias": np.array(bias, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["slices"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["grey", "channel"], ["image"]),
        helper.make_node("Resize", ["image", "", "", "sizes"], ["small"], mode="linear", axes=[2, 3]),
        helper.make_node("AveragePool", ["small"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Squeeze", ["pooled", "channel"], ["plane"]),
        helper.make_node("Sub", ["plane", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["map"]),
        helper.make_node("ReduceMean", ["map", "cells"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["opacity"]),
    ]
    if asks_twice:
        nodes += [
            helper.make_node("Neg", ["opacity"], ["typical"]),
            helper.make_node("Sigmoid", ["opacity"], ["extent"]),
            helper.make_node("Add", ["opacity", "extent"], ["logit"]),
        ]
    else:
        nodes[-1].output[:] = ["logit"]
    more = ("opacity", "typical", "extent") if asks_twice else ()
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("slices", TensorProto.UINT8, ["N", "H", "W"])],
        [
            helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 4, 4]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in more),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def write_tiny_bundle(folder: Path, *, asks_twice: bool = False) -> Path:
    """Write a whole bundle into `folder`, which is made."""
    folder.mkdir(parents=True)
    graphs = {name: tiny_graph(bias, asks_twice=asks_twice) for name, bias in BIASES.items()}
    for name, graph in graphs.items():
        (folder / GRAPHS[name]).write_bytes(graph)
    (folder / CARD).write_text("# tiny\n\nMade in code.\n\n**AUC 0.5**, as by chance\n", encoding="utf-8")
    reference = to_reference({name: Session(graph, threads=1) for name, graph in graphs.items()})
    (folder / REFERENCE).write_text(json.dumps(reference), encoding="utf-8")
    (folder / CONFIG).write_text(
        json.dumps(CONFIG_TABLE | (TWO_QUESTIONS if asks_twice else {})), encoding="utf-8"
    )
    write_sums(folder)
    return folder
