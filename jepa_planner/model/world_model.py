"""The world model in use: images to latents, and candidate actions to imagined latents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.model.bundle import load_bundle, load_decoder
from jepa_planner.model.contract import Contract, ContractError
from jepa_planner.model.device import usable_device
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.differentiable import differentiable_rollout
from jepa_planner.model.rollout.engine import Rollouts, Score
from jepa_planner.model.rollout.precision import checked_engine, matrix_dtype, resolve_dtype

if TYPE_CHECKING:
    from jepa_planner.model.onnx.runtime import OnnxEncoder

BACKENDS = ("torch", "onnx")
CHECKED_STEPS = 2
"""Steps of the rollouts by which it is seen whether a rougher number type ranks candidates as float32 does."""


class WorldModel:
    """Frozen encoder and predictor behind their contract, on one device.

    dtype: number type of matrix products; results are float32. "auto" takes what the device multiplies fastest;
    "int8" is for rollouts, and the encoder then runs in float32. Another type than float32 is used for rollouts only if
    it ranks candidates as float32 does, see `checked_engine`. chunk: most candidates that are imagined at a time.
    decoder: of a model that is planned with in pixels.
    threads: cores that rollouts use on a CPU; None: those that torch was given.
    """

    def __init__(
        self,
        contract: Contract,
        encoder: VideoEncoder,
        predictor: Predictor,
        device: str | torch.device = "cpu",
        dtype: str = "float32",
        chunk: int | None = None,
        decoder: PixelDecoder | None = None,
        threads: int | None = None,
    ) -> None:
        self.contract = contract
        self.device = usable_device(device)
        self._rollout_dtype = resolve_dtype(dtype, self.device)
        self.dtype = matrix_dtype(self._rollout_dtype)
        self._chunk, self._threads = chunk, threads
        self.backend = "torch"
        self.encoder: VideoEncoder | OnnxEncoder = encoder.to(self.device).eval().requires_grad_(False)
        self.predictor = predictor.to(self.device).eval().requires_grad_(False)
        self.decoder = None if decoder is None else decoder.to(self.device).eval().requires_grad_(False)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str | torch.device = "cpu",
        dtype: str = "float32",
        backend: str = "torch",
        threads: int | None = None,
        views: Sequence[str] = (),
    ) -> WorldModel:
        """Loads a model bundle; raises BundleError naming the file and field at fault.

        views: those of the model's that are there, if not all; its contract then names only them. backend: "torch", or
        "onnx" for its ONNX files, which run in float32; where those or ONNX Runtime are missing, a warning says so and
        torch is used. `backend` then tells what runs.
        """
        if backend not in BACKENDS:
            raise ValueError(f"backend is {backend!r}; it must be one of {', '.join(BACKENDS)}")
        dtype = resolve_dtype(dtype, usable_device(device))
        encoder, predictor, contract = load_bundle(folder, matrix_dtype(dtype), views)
        model = cls(contract, encoder, predictor, device, dtype, decoder=load_decoder(folder), threads=threads)
        if backend == "onnx" and views:
            raise ValueError("backend onnx has an encoder for all views: leave out views, or use torch")
        if backend == "onnx":
            model._use_onnx(Path(folder))
        return model

    def _use_onnx(self, folder: Path) -> None:
        from jepa_planner.model.onnx.runtime import OnnxUnavailableError, load_onnx

        try:
            self.encoder, self.engine, self.backend = load_onnx(folder, self.contract)
        except OnnxUnavailableError as error:
            logging.getLogger(__name__).warning("backend onnx: %s. Torch is used instead", error)

    @torch.inference_mode()
    def encode(self, images: np.ndarray | Tensor) -> Tensor:
        """Latents of camera images.

        images: uint8 RGB [B, V, H, W, 3], views in the contract's order, at least as large as the contract's
        size. Returns float32 [B, N, D]. Raises ContractError naming what does not fit.
        """
        pixels = self._pixels(images)
        with self._precision():
            return self.encoder(pixels).float()

    @torch.inference_mode()
    def observe(self, images: np.ndarray | Tensor) -> Observation:
        """What a controller is given of camera images: their latents, and the pictures themselves where a head looks at
        them.

        images and errors: as `encode`. Returns observations [B], without arm states.
        """
        pixels = self._pixels(images)
        with self._precision():
            latents = self.encoder(pixels).float()
        return Observation(latents, pixels if self.contract.looks_at_images else None)

    @cached_property
    def engine(self) -> Rollouts:
        """What runs the rollouts, made and checked on first use; `engine.dtype` is the type they run in."""
        contract = self.contract
        steps = int(min(CHECKED_STEPS, contract.predictor_sizes.max_steps - contract.context_frames + 1))
        options = {"chunk": self._chunk, "threads": self._threads}
        return checked_engine(self.predictor, self._rollout_dtype, steps, contract.action.max_abs, **options)

    def rollout(self, context: Context, actions: Tensor) -> Tensor:
        """Imagined latents after each action: actions [K, H, A] from one context -> float32 [K, H, N, D].

        Raises ContractError where context or actions do not fit the contract.
        """
        return self.evaluate(context, actions, lambda latents, _: latents)

    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor:
        """Scores [K, ..] of candidate actions [K, H, A], from a chunk of imagined latents at a time.

        score: latents after each action [C, H, N, D] and actions [C, H, A] -> [C, ..]. exact: in float32. Gradients
        flow to actions that require them; all candidates are then imagined in one piece. Raises ContractError.
        """
        self._check(context, actions)
        if actions.requires_grad and torch.is_grad_enabled():
            actions = actions.to(self.device)
            with self._precision():
                return score(differentiable_rollout(self.predictor, context.to(self.device), actions), actions)
        return self.engine.evaluate(context, actions, score, exact)

    def _pixels(self, images: np.ndarray | Tensor) -> Tensor:
        """Images as the encoder takes them; raises ContractError."""
        images = torch.as_tensor(images)
        if images.dtype != torch.uint8:
            raise ContractError(f"image: {images.dtype} given; expected uint8 RGB")
        self.contract.check_images(images.shape)
        return self.contract.image.pixels(images.to(self.device))

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def _check(self, context: Context, actions: Tensor) -> None:
        contract = self.contract
        contract.check_latent(context.latents.shape, "context.latents")
        contract.check_state(context.states.shape[-1])
        contract.check_action(actions.shape[-1])
        if actions.ndim != 3 or 0 in actions.shape:
            shape = list(actions.shape)
            raise ContractError(f"actions: shape {shape} given; expected [candidates, horizon, channels]")
        frames = len(context.latents)
        if len(context.states) != frames or len(context.actions) != frames - 1:
            raise ContractError(
                f"context: {frames} latents with {len(context.states)} states and {len(context.actions)} "
                "actions; expected as many states, and one action fewer"
            )
        if frames > 1:
            contract.check_action(context.actions.shape[-1])
        steps, most = frames - 1 + actions.shape[1], contract.predictor_sizes.max_steps
        if steps > most:
            raise ContractError(f"predictor.max_steps: {steps} steps of context and horizon; at most {most}")
