"""Rollouts the way the V-JEPA 2-AC reference runs them: a yardstick, not made slower than that.

It does all that the fast path saves: the whole sequence is rerun at every step, the context is copied to every
candidate, action, state and patch tokens are projected apart, an explicit mask stands where none is needed, every
frame is projected although only the newest is new, each layer computes the rotary sines anew, arm states are updated
one by one through scipy, and everything is float32. Tests hold both to the same numbers; `jepa-planner bench` to speed.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, GRIPPER, RPY, XYZ
from jepa_planner.core.context import Context
from jepa_planner.model.layers import Attention, Block, each
from jepa_planner.model.mlp_predictor import MlpPredictor
from jepa_planner.model.predictor import CONDITIONING_TOKENS, ActionConditionedPredictor
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rotary import grid_positions


@torch.inference_mode()
def plain_rollout(predictor: Predictor, context: Context, actions: Tensor) -> Tensor:
    """`WorldModel.rollout` by brute force: actions [K, H, A] from one context -> float32 [K, H, N, D]."""
    candidates, horizon = actions.shape[:2]
    frames = len(context.latents)
    latents = context.latents.repeat(candidates, 1, 1, 1)
    states = context.states.repeat(candidates, 1, 1)
    past = context.actions.repeat(candidates, 1, 1)
    for step in range(horizon):
        done = torch.cat([past, actions[:, : step + 1]], dim=1)
        newest = predictor.normalise_output(PLAIN[predictor.config.kind](predictor, latents, done, states)[:, -1:])
        latents = torch.cat([latents, newest], dim=1)
        state = [moved(s, a) for s, a in zip(states[:, -1], actions[:, step], strict=True)]
        states = torch.cat([states, torch.stack(state)[:, None]], dim=1)
    return latents[:, frames:]


def moved(state: Tensor, action: Tensor) -> Tensor:
    """The state [S] after an action [7], as `poses.apply_action`, through scipy."""
    before, turn = state.double().cpu().numpy(), action.double().cpu().numpy()
    rotation = Rotation.from_euler("xyz", turn[RPY]).as_matrix() @ Rotation.from_euler("xyz", before[RPY]).as_matrix()
    after = before.copy()
    after[XYZ] += turn[XYZ]
    after[RPY] = Rotation.from_matrix(rotation).as_euler("xyz")
    after[GRIPPER] = min(max(before[GRIPPER] + turn[GRIPPER], 0.0), 1.0)
    after[AXES:] = before[AXES:]
    return torch.from_numpy(after).to(state)


def plain_forward(predictor: ActionConditionedPredictor, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
    """`ActionConditionedPredictor.forward`, each part written out: [B, T, N, D] -> [B, T, N, D]."""
    config = predictor.config
    steps, per_step = latents.shape[1], CONDITIONING_TOKENS + config.latent_tokens
    tokens = predictor.predictor_embed(latents)
    if config.slot_embedding:
        tokens = tokens + predictor.slot_embed
    action = predictor.action_encoder(actions / predictor.action_std)[:, :, None]
    state = predictor.state_encoder(predictor.scaled_states(states))[:, :, None]
    x = torch.cat([action, state, tokens], dim=2).flatten(1, 2)
    mask = torch.zeros(steps * per_step, steps * per_step, dtype=torch.bool, device=x.device)
    for t in range(steps):
        mask[t * per_step : (t + 1) * per_step, : (t + 1) * per_step] = True
    in_image = not config.slot_embedding
    for block in each(predictor.predictor_blocks, Block):
        x = _block(block, x, steps, config.grid, in_image, mask)
    x = x.unflatten(1, (steps, per_step))[:, :, CONDITIONING_TOKENS:]
    out = predictor.predictor_proj(predictor.predictor_norm(x))
    return latents + out if config.residual else out


PLAIN: dict[str, Callable[[Any, Tensor, Tensor, Tensor], Tensor]] = {
    "transformer": plain_forward,
    "mlp": MlpPredictor.forward,
}
"""Whole sequences by brute force, by kind of predictor: an MLP has no parts that a fast path could spare."""


def _block(block: Block, x: Tensor, steps: int, grid: tuple[int, int], in_image: bool, mask: Tensor) -> Tensor:
    x = x + _attention(block.attn, block.norm1(x), steps, grid, in_image, mask)
    return x + block.mlp(block.norm2(x))


def _attention(
    attention: Attention, x: Tensor, steps: int, grid: tuple[int, int], in_image: bool, mask: Tensor
) -> Tensor:
    """Conditioning tokens turn by their time alone, patch tokens by time, row and column where they have any."""
    by_step = x.unflatten(1, (steps, -1))
    time = torch.arange(steps, device=x.device)
    conditioning = [_heads(attention, by_step[:, :, i], [time]) for i in range(CONDITIONING_TOKENS)]
    parts = [[y.unsqueeze(3) for y in part] for part in conditioning]
    positions = torch.cat([grid_positions(t, *grid) for t in range(steps)]).to(x.device)
    axes = list(positions.unbind(dim=1)) if in_image else [positions[:, 0]]
    patches = _heads(attention, by_step[:, :, CONDITIONING_TOKENS:].flatten(1, 2), axes)
    parts.append([y.unflatten(2, (steps, -1)) for y in patches])
    q, k, v = (torch.cat(same, dim=3).flatten(2, 3) for same in zip(*parts, strict=True))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return attention.proj(out.transpose(1, 2).flatten(2))


def _heads(attention: Attention, x: Tensor, positions: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated queries and keys, and values, each [B, heads, n, head_size], of tokens x [B, n, width]."""
    q, k, v = attention.qkv(x).unflatten(-1, (3, attention.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    return _rotated(q, positions), _rotated(k, positions), v


def _rotated(x: Tensor, positions: list[Tensor]) -> Tensor:
    size = 2 * ((x.shape[-1] // 3) // 2)
    parts = [_rotated_axis(part, where) for part, where in zip(x.split(size, dim=-1), positions, strict=False)]
    return torch.cat([*parts, x[..., size * len(positions) :]], dim=-1)


def _rotated_axis(x: Tensor, positions: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    frequencies = 10000.0 ** (-torch.arange(half, dtype=torch.float32, device=x.device) / half)
    angles = (positions[:, None] * frequencies).repeat(1, 2)
    first, second = x.unflatten(-1, (half, 2)).unbind(-1)
    turned = torch.stack([-second, first], dim=-1).flatten(-2)
    return x * angles.cos() + turned * angles.sin()
