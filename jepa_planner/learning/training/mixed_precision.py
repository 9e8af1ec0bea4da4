"""Training in bfloat16 where the hardware multiplies it faster; weights, gradients and norms stay float32."""

from __future__ import annotations

import torch

from jepa_planner.model.rollout.precision import multiplies_bfloat16


def mixed_precision(device: torch.device) -> torch.autocast:
    """A context in which products are bfloat16 on GPUs and on CPUs with AMX or AVX512-bf16, and as ever elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))
