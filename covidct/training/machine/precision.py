"""In which precision the networks compute while they learn: bfloat16 pays only where the processor has it.

Elsewhere it is emulated, and an epoch takes many times as long as in float32.
"""

from __future__ import annotations

import torch

# Of processors, as torch calls them: x86 with AVX-512 or AMX, and Arm.
FEATURES = ("avx512_bf16", "amx_bf16", "bf16")


def find_device() -> torch.device:
    """Where networks learn: on a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def is_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a recipe's `precision` means bfloat16 on a device; "auto" asks the processor, or the GPU."""
    return precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 by itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in FEATURES)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a forward pass runs on a device."""
    return torch.autocast(device.type, torch.bfloat16, enabled=is_bfloat16(precision, device))
