"""8-bit rollouts that agree with float32 ones: calibrated on a few candidates of the very context they serve."""

from dataclasses import replace

from torch import Tensor

from jepa_planner.world_model.rollouts.int8_block import Int8Block, Int8Weights, Ranges
from jepa_planner.world_model.rollouts.start import Start

CALIBRATION_CANDIDATES = 4


def calibrated(start: Start, weights: list[Int8Weights], actions: Tensor, states: Tensor) -> Start:
    """The same start with 8-bit products, from running a few candidates both ways: [C, H, A] taken in [C, H, S].

    Float32 gives the range of every activation. What the 8-bit latents of these candidates are off by in the mean, per
    imagined step, is then taken off everywhere: candidates of one context differ by their actions alone, so most of the
    error is common to all (bias correction, arXiv 1906.04721, here per context).
    """
    candidates, horizon = actions.shape[:2]
    exact = start.network
    memory, latent, outcomes = start.new_memory(candidates, horizon), start.latent, []
    ranges = [Ranges() for _ in weights]
    watches = [layer.watch for layer in ranges]
    for step in range(horizon):
        latent = exact.predict(latent, actions[:, step], states[:, step], start.steps + step, memory, watches)
        outcomes.append(latent)

    blocks = [Int8Block(*parts) for parts in zip(exact.blocks, weights, ranges, strict=True)]
    values = [block.values_in_memory(v) for block, v in zip(blocks, start.values, strict=True)]
    rough = replace(start, network=exact.with_blocks(blocks), values=values)
    memory, latent, corrections = rough.new_memory(candidates, horizon), start.latent, []
    for step, outcome in enumerate(outcomes):
        latent = rough.network.predict(latent, actions[:, step], states[:, step], start.steps + step, memory)
        corrections.append((outcome - latent).mean(dim=0, keepdim=True))
        latent = latent + corrections[-1]
    return replace(rough, corrections=tuple(corrections))
