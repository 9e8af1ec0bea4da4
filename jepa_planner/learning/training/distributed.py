"""Training over several processes that `torchrun` started: each sees its own windows, all take the same step."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn


def join_group(device: str) -> None:
    """Joins the other processes where torchrun says that there are some; alone nothing happens."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")


def leave_group() -> None:
    """From now on this process is alone."""
    if dist.is_initialized():
        dist.destroy_process_group()


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def own_device(device: str) -> str:
    """cuda, without a number, is another GPU for each process of a machine."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and size() > 1 else device


def draw_seed(seed: int, iteration: int) -> list[int]:
    """What an iteration's windows are drawn from: others for each process, and the same as ever for one alone."""
    return [seed, iteration] if size() == 1 else [seed, iteration, rank()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Every process's gradients become the mean of all."""
    if size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    means = (flat / size()).split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))


def average_buffers(module: nn.Module) -> None:
    """Running statistics, which each process has of its own windows, become the mean of all."""
    if size() == 1:
        return
    for buffer in module.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= size()
