"""Which number type rollouts run in: what the hardware multiplies fastest, as long as it ranks candidates alike."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.engine import RolloutEngine

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
LEAST_RANK_CORRELATION = 0.99
CHECKED_CANDIDATES, LEAST_CHECKED = 256, 32
CHECK_MULTIPLICATIONS = 3e11  # of the float32 part on a CPU: a few seconds
CHECK_SEED = 0
AMX, AVX512_BF16, VNNI = "_is_amx_tile_supported", "_is_avx512_bf16_supported", "_is_vnni_supported"


def best_dtype(device: torch.device) -> str:
    """What pays on this device: 16 bits on CUDA, 8 bits on CPUs with VNNI, which are faster there than 16 bits with AMX
    or AVX512-bf16: rollouts are many small products.
    """
    if device.type == "cuda":
        return "bfloat16" if multiplies_bfloat16(device) else "float16"
    if device.type != "cpu":
        return "float32"
    if _cpu_has(VNNI):
        return "int8"
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster than in float32 on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (_cpu_has(AMX) or _cpu_has(AVX512_BF16))


def resolve_dtype(dtype: str, device: torch.device) -> str:
    """The dtype itself, or the best one for "auto"; raises ValueError listing the known ones."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}")
    return best_dtype(device) if dtype == "auto" else dtype


def matrix_dtype(dtype: str) -> torch.dtype:
    """The type in which weights are held and the encoder runs; only rollouts use 8 bits."""
    return torch.float32 if dtype == "int8" else getattr(torch, dtype)


def checked_engine(
    predictor: Predictor, dtype: str, horizon: int, max_abs: Sequence[float], **options
) -> RolloutEngine:
    """A `RolloutEngine` in dtype if that runs here and ranks candidates as float32 does, else in float32.

    The choice and its reason are logged. max_abs: bounds of the actions with which it is tried.
    """
    exact = RolloutEngine(predictor, "float32", **options)
    if dtype == "float32":
        return exact
    log = logging.getLogger(__name__)
    try:
        engine = RolloutEngine(predictor, dtype, **options)
        agreement = rank_agreement(engine, predictor, horizon, max_abs)
    except (RuntimeError, AttributeError, TypeError) as error:  # an operation that this build or device lacks
        reason = str(error).partition("\n")[0]
        log.warning("rollouts in %s do not run here (%s); float32 is used", dtype, reason)
        return exact
    ranked = f"rollouts in {dtype} rank candidates with a Spearman correlation of {agreement:.4f} to float32"
    if not agreement >= LEAST_RANK_CORRELATION:
        log.warning("%s, less than %s; float32 is used", ranked, LEAST_RANK_CORRELATION)
        return exact
    log.info("%s", ranked)
    return engine


@torch.inference_mode()
def rank_agreement(engine: RolloutEngine, predictor: Predictor, horizon: int, max_abs: Sequence[float]) -> float:
    """Spearman correlation of an engine's energies with those in float32, for random candidates; NaN where energies are
    not finite.

    Latents are standardised by construction, so the present is drawn from the standard normal distribution. The goal is
    where one more action sequence leads, as goals are reachable; the energy is the mean absolute difference.
    """
    config, device = predictor.config, predictor.device
    generator = torch.Generator().manual_seed(CHECK_SEED)
    latent = torch.randn(1, config.latent_tokens, config.latent_channels, generator=generator).to(device)
    context = Context(
        predictor.normalise_output(latent),
        predictor.state_mean[None].float(),
        torch.zeros(0, config.action_dim).to(device),
    )
    candidates = CHECKED_CANDIDATES
    if device.type == "cpu":
        weights = sum(parameter.numel() for parameter in predictor.parameters())
        affordable = int(CHECK_MULTIPLICATIONS / (weights * config.latent_tokens * horizon))
        candidates = min(max(affordable, LEAST_CHECKED), CHECKED_CANDIDATES)
    actions = torch.rand(candidates + 1, horizon, config.action_dim, generator=generator) * 2.0 - 1.0
    actions = (actions * torch.tensor(max_abs)).to(device)
    goal = engine.evaluate(context, actions[-1:], lambda latents, _: latents[:, -1], exact=True)

    def energy(latents: Tensor, _: Tensor) -> Tensor:
        return (latents[:, -1] - goal).abs().mean(dim=(1, 2))

    exact, given = (engine.evaluate(context, actions[:-1], energy, exact=x).cpu() for x in (True, False))
    if not (exact.isfinite().all() and given.isfinite().all()):
        return math.nan
    from scipy.stats import spearmanr  # takes a second to load

    correlation, _ = spearmanr(exact.numpy(), given.numpy())
    return float(correlation)


def _cpu_has(query: str) -> bool:
    """Torch keeps these queries private, so they may be missing."""
    return bool(getattr(torch.cpu, query, lambda: False)())
