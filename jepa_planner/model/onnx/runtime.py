"""Runs a bundle's ONNX files through ONNX Runtime, on the best hardware that it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic

import numpy as np
import torch
from torch import Tensor

from jepa_planner.model.mlp_predictor import LastLatent
from jepa_planner.model.onnx.graphs import (
    BEFORE,
    ENCODER_INPUTS,
    ENCODER_ONNX,
    ENCODER_OUTPUTS,
    NEXT_LATENT,
    PREDICTOR_ONNX,
    STEP_INPUTS,
    memory_names,
    step_outputs,
    tokens_per_step,
)
from jepa_planner.model.predictor_kind import C
from jepa_planner.model.rollout.differentiable import differentiable_rollout

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue

    from jepa_planner.core.context import Context
    from jepa_planner.model.contract import Contract
    from jepa_planner.model.mlp_predictor import MlpPredictorConfig
    from jepa_planner.model.predictor import PredictorConfig
    from jepa_planner.model.predictors import AnyPredictorConfig
    from jepa_planner.model.rollout.engine import Score

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
"""The best first; ONNX Runtime leaves to the next what one cannot do."""
LARGEST_CHUNK = 128
MEMORY_BYTES = 2 << 30
FLOAT32_BYTES = 4


class OnnxUnavailableError(RuntimeError):
    """ONNX Runtime or a model's ONNX files are missing or do not work; the message says what to do."""


class OnnxEncoder:
    """encoder.onnx behind the call of `VideoEncoder`."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    def __call__(self, images: Tensor) -> Tensor:
        """Images [B, V, 3, H, W], normalised -> latents [B, N, D] float32."""
        (latents,) = _run(self._session, dict(zip(ENCODER_INPUTS, [images], strict=True)), {}, ENCODER_OUTPUTS)
        return torch.from_numpy(latents.numpy()).to(images.device)


class OnnxCache:
    """Keys and values of earlier steps, left where ONNX Runtime computes: those shared by all, and each one's own."""

    def __init__(self, config: PredictorConfig, shared: list[OrtValue], own: list[OrtValue]) -> None:
        self._config, self.shared, self.own = config, shared, own

    @classmethod
    def empty(cls, config: PredictorConfig) -> OnnxCache:
        """Of one sequence."""
        return cls(config, _no_memory(config, 1), _no_memory(config, 1))

    def expanded(self, batch: int) -> OnnxCache:
        """The memory of one sequence, which has none that is shared, as the common past of so many."""
        return OnnxCache(self._config, self.own, _no_memory(self._config, batch))


class OnnxPredictor(ABC, Generic[C]):
    """predictor.onnx behind the calls of `Predictor` that a rollout makes."""

    def __init__(self, session: InferenceSession, config: AnyPredictorConfig) -> None:
        self._session, self.config = session, config

    @abstractmethod
    def new_cache(self) -> C:
        """An empty memory for `step`."""

    @abstractmethod
    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> Tensor:
        """See `Predictor`; what comes out is normalised already."""

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> None:
        """See `Predictor`."""
        self.step(latent, action, state, cache)

    def normalise_output(self, x: Tensor) -> Tensor:
        """Nothing is left to do."""
        return x

    @abstractmethod
    def remembered_numbers(self, steps: int) -> int:
        """Of one candidate after so many steps."""


class OnnxTransformer(OnnxPredictor[OnnxCache]):
    """Keys and values stay where ONNX Runtime computes."""

    config: PredictorConfig

    def __init__(self, session: InferenceSession, config: PredictorConfig) -> None:
        super().__init__(session, config)
        self._outputs = step_outputs(config)
        self._shared, self._own = (memory_names(prefix, config.depth) for prefix in ("shared", "own"))

    def new_cache(self) -> OnnxCache:
        """See `OnnxPredictor`."""
        return OnnxCache.empty(self.config)

    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: OnnxCache) -> Tensor:
        """See `OnnxPredictor`."""
        memory = dict(zip(self._shared, cache.shared, strict=True)) | dict(zip(self._own, cache.own, strict=True))
        inputs = dict(zip(STEP_INPUTS, (latent, action, state), strict=True))
        following, *cache.own = _run(self._session, inputs, memory, self._outputs)
        return torch.from_numpy(following.numpy()).to(latent.device)

    def remembered_numbers(self, steps: int) -> int:
        """See `OnnxPredictor`."""
        return 2 * self.config.depth * steps * tokens_per_step(self.config) * self.config.width


class OnnxMlp(OnnxPredictor[LastLatent]):
    """Of the past it takes the latent of the step before."""

    config: MlpPredictorConfig

    def new_cache(self) -> LastLatent:
        """See `OnnxPredictor`."""
        return LastLatent()

    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: LastLatent) -> Tensor:
        """See `OnnxPredictor`."""
        before = latent if cache.latent is None else cache.latent
        cache.latent = latent
        inputs = dict(zip((*STEP_INPUTS, BEFORE), (latent, action, state, before), strict=True))
        (following,) = _run(self._session, inputs, {}, [NEXT_LATENT])
        return torch.from_numpy(following.numpy()).to(latent.device)

    def remembered_numbers(self, steps: int) -> int:
        """See `OnnxPredictor`."""
        return self.config.latent_numbers


PREDICTORS: dict[str, type[OnnxPredictor]] = {"transformer": OnnxTransformer, "mlp": OnnxMlp}
"""By kind."""


class OnnxRollouts:
    """`RolloutEngine` by predictor.onnx; holds at most MEMORY_BYTES of memories, one candidate's at least."""

    dtype = "float32"

    def __init__(self, predictor: OnnxPredictor, chunk: int | None = None) -> None:
        self._predictor, self._chunk = predictor, chunk or LARGEST_CHUNK

    @torch.inference_mode()
    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor:
        """Scores [K, ..] of candidates [K, H, A], in their order; always exact."""
        parts = actions.split(self._chunk_for(len(context.actions) + actions.shape[1]))
        return torch.cat([score(differentiable_rollout(self._predictor, context, part), part) for part in parts])

    def _chunk_for(self, steps: int) -> int:
        remembered = 2 * self._predictor.remembered_numbers(steps)  # of this step and the one before
        return max(1, min(self._chunk, MEMORY_BYTES // (FLOAT32_BYTES * remembered)))


def load_onnx(folder: Path, contract: Contract, chunk: int | None = None) -> tuple[OnnxEncoder, OnnxRollouts, str]:
    """Encoder and rollouts of a bundle, and in words what runs them.

    Raises OnnxUnavailableError where ONNX Runtime or the files are missing or do not work.
    """
    if missing := [name for name in (ENCODER_ONNX, PREDICTOR_ONNX) if name not in contract.files]:
        raise OnnxUnavailableError(
            f"{folder} has no {' and no '.join(missing)}; write them with `jepa-planner model export --model {folder}`"
        )
    encoder, predictor = (best_session(folder / name) for name in (ENCODER_ONNX, PREDICTOR_ONNX))
    sizes = contract.predictor_sizes
    rollouts = OnnxRollouts(PREDICTORS[sizes.kind](predictor, sizes), chunk)
    return OnnxEncoder(encoder), rollouts, f"ONNX Runtime, {predictor.get_providers()[0]}"


def best_session(path: Path) -> InferenceSession:
    """A session with the best provider that works here; raises OnnxUnavailableError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise OnnxUnavailableError(
            f"{error}; pip install 'jepa_planner[onnx]', or 'jepa_planner[gpu]' for TensorRT and CUDA"
        ) from error
    return _session(path, [name for name in PROVIDERS if name in onnxruntime.get_available_providers()])


def cpu_session(path: Path) -> InferenceSession:
    """A session on the CPU."""
    return _session(path, PROVIDERS[-1:])


def _session(path: Path, providers: Sequence[str]) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone: `get_providers` tells which provider was taken
    try:
        return onnxruntime.InferenceSession(path, options, list(providers))
    except Exception as error:  # onnxruntime has a class of its own for each way in which a file cannot be run
        raise OnnxUnavailableError(f"{path}: ONNX Runtime cannot run it ({error})") from error


def _run(
    session: InferenceSession, inputs: Mapping[str, Tensor], memory: Mapping[str, OrtValue], outputs: Sequence[str]
) -> list[OrtValue]:
    """Runs a session; what it returns stays on the device of its provider."""
    device = "cpu" if session.get_providers()[0] == PROVIDERS[-1] else "cuda"
    arrays = {name: tensor.detach().float().cpu().contiguous().numpy() for name, tensor in inputs.items()}
    binding = session.io_binding()
    for name, array in arrays.items():  # which the binding only points to
        binding.bind_cpu_input(name, array)
    for name, value in memory.items():
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        binding.bind_output(name, device)
    session.run_with_iobinding(binding)
    return list(binding.get_outputs())


def _no_memory(config: PredictorConfig, batch: int) -> list[OrtValue]:
    from onnxruntime import OrtValue

    nothing = np.zeros((batch, config.heads, 0, config.width // config.heads), np.float32)
    return [OrtValue.ortvalue_from_numpy(nothing) for _ in range(2 * config.depth)]
