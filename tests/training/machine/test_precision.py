from __future__ import annotations

import pytest
import torch

from covidct.training.machine.precision import autocast, has_bfloat16, is_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({}, False),
    ],
)
def test_auto_asks_the_processor(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)
    assert has_bfloat16(CPU) is expected
    assert is_bfloat16("auto", CPU) is expected
    assert is_bfloat16("bfloat16", CPU)
    assert not is_bfloat16("float32", CPU)


def test_the_context_is_as_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    ones = torch.ones(2, 2)
    for precision, kind in (("auto", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(precision, CPU):
            assert (ones @ ones).dtype is kind
