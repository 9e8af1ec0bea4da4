"""The world model in use: images to latents, and candidate actions to imagined latents."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from jepa_planner.world_model.bundle import load_bundle
from jepa_planner.world_model.contract import Contract, ContractError
from jepa_planner.world_model.encoder import VideoEncoder
from jepa_planner.world_model.poses import imagine_states
from jepa_planner.world_model.predictor import ActionConditionedPredictor, StepCache
from jepa_planner.world_model.preprocess import preprocess

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Context:
    """What was seen and done up to now, oldest first; the last frame is the present.

    latents [T, N, D], states [T, S] and the actions [T-1, A] executed between them, all float32.
    """

    latents: Tensor
    states: Tensor
    actions: Tensor


class WorldModel:
    """Frozen encoder and predictor behind their contract, on one device.

    A dtype below float32 runs matrix products in that type (autocast) and keeps results in float32; it pays
    only on hardware that multiplies in it. chunk is how many candidates are imagined at a time: it bounds the
    memory, and on a CPU keeps it in the cache.
    """

    def __init__(
        self,
        contract: Contract,
        encoder: VideoEncoder,
        predictor: ActionConditionedPredictor,
        device: str | torch.device = "cpu",
        dtype: Dtype = "float32",
        chunk: int = 128,
    ) -> None:
        self.contract = contract
        self.device = torch.device(device)
        self.dtype = getattr(torch, dtype)
        self.chunk = chunk
        self.encoder = encoder.to(self.device).eval().requires_grad_(False)
        self.predictor = predictor.to(self.device).eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu", dtype: Dtype = "float32") -> "WorldModel":
        """Loads a model bundle; raises BundleError naming the file and field at fault."""
        encoder, predictor, contract = load_bundle(folder, getattr(torch, dtype))
        return cls(contract, encoder, predictor, device, dtype)

    @torch.inference_mode()
    def encode(self, images: np.ndarray | Tensor) -> Tensor:
        """Latents of camera images.

        images: uint8 RGB [B, V, H, W, 3], views in the contract's order, at least as large as the contract's
        size. Returns float32 [B, N, D]. Raises ContractError naming what does not fit.
        """
        images = torch.as_tensor(images)
        if images.dtype != torch.uint8:
            raise ContractError(f"image: {images.dtype} given; expected uint8 RGB")
        self.contract.check_images(images.shape)
        image = self.contract.image
        size = (image.height, image.width)
        pixels = preprocess(images.to(self.device), size, image.mean, image.std, image.crop_aspect)
        with self._precision():
            return self.encoder(pixels).float()

    def rollout(self, context: Context, actions: Tensor) -> Tensor:
        """Imagined latents after each action: actions [K, H, A] from one context -> float32 [K, H, N, D].

        Raises ContractError where context or actions do not fit the contract.
        """
        return torch.cat(list(self.rollout_chunks(context, actions)))

    @torch.inference_mode()
    def rollout_chunks(self, context: Context, actions: Tensor) -> Iterator[Tensor]:
        """`rollout` in parts of at most `chunk` candidates, for callers that need only one part at a time.

        The past is run once and shared. Attention is causal over steps, so of each candidate only the newest
        step is run, against the keys and values of the earlier ones. Imagined arm states follow
        `apply_action`.
        """
        self._check(context, actions)
        latents, states, past = (x.to(self.device) for x in (context.latents, context.states, context.actions))
        shared = self.predictor.new_cache()
        with self._precision():
            for step in range(len(past)):
                self.predictor.step(latents[step, None], past[step, None], states[step, None], shared)
        for part in actions.to(self.device).split(self.chunk):
            yield self._imagine(latents[-1], states[-1], part, shared.expanded(len(part)))

    def _imagine(self, latent: Tensor, state: Tensor, actions: Tensor, cache: StepCache) -> Tensor:
        states = imagine_states(state, actions)
        latent = latent.expand(len(actions), -1, -1)
        imagined = []
        with self._precision():
            for step in range(actions.shape[1]):
                predicted = self.predictor.step(latent, actions[:, step], states[:, step], cache)
                latent = self.predictor.normalise_output(predicted.float())
                imagined.append(latent)
        return torch.stack(imagined, dim=1)

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
        steps, most = frames - 1 + actions.shape[1], contract.predictor.max_steps
        if steps > most:
            raise ContractError(f"predictor.max_steps: {steps} steps of context and horizon; at most {most}")
