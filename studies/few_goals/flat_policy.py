"""Acting without imagining anything: a policy from the present and the goal picture's latent straight to an action."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.run_folder import check_same_run
from jepa_planner.learning.training.windows import split, state_scaling
from jepa_planner.model.sub_goal_head import residual_blocks
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner_sim.envs import PandaTaskEnv

NAME = "flat_policy"
BATCH, SPAN, LATENT_NOISE = 256, 32, 0.1
"""As in training the head that imagines sub-goals."""


class FlatNetwork(nn.Module):
    """The residual MLP of `SubGoalHead` with an action [A] as its output, in units of the largest one."""

    def __init__(self, latent_numbers: int, states: int, actions: int, width: int = 512, depth: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(2 * latent_numbers + states, width)
        self.blocks = residual_blocks(width, depth, dropout=0.05)
        self.act = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, actions))

    def forward(self, latents: Tensor, states: Tensor, goals: Tensor) -> Tensor:
        """latents and goals [B, N, D], scaled states [B, S] -> [B, A]."""
        x = self.embed(torch.cat([latents.flatten(1), states, goals.flatten(1)], dim=-1))
        for block in self.blocks:
            x = x + block(x)
        return self.act(x)


class FlatPolicy:
    """`Policy` for one goal picture; learned from demonstrations with goals set in hindsight (squared error).

    Of the gripper it learns where it should be, not how it should change: a change happens once, at a step that can
    only be guessed, and the mean of such guesses is no change.
    """

    last = None

    def __init__(self, model: WorldModel, settings: PlannerSettings, demonstrations: Demonstrations) -> None:
        contract = model.contract
        self.image_size_px, self.cameras = contract.image.height, contract.image.views
        self._model, self._space = model, settings.action_space(contract)
        self._scale = torch.tensor(self._space.max_abs).clamp_min(1e-6)
        self._mean, self._std = state_scaling(demonstrations.states[split(demonstrations.states).train])
        numbers = contract.latent.tokens * contract.latent.channels
        self._network = FlatNetwork(numbers, len(self._mean), len(self._scale))

    def train(self, demonstrations: Demonstrations, iterations: int, folder: Path, seed: int = 0) -> None:
        """Resumes from what the folder holds; raises RunFolderError where that is of another model or other data."""
        about = {
            "model": self._model.contract.files, "demonstrations": demonstrations.content, "iterations": iterations,
            "seed": seed,
        }  # fmt: skip
        check_same_run(folder / f"{NAME}.json", folder / f"{NAME}.ckpt", about)
        train = split(demonstrations.states).train
        last = train[-1] + 1
        actions = torch.from_numpy(demonstrations.actions[:last]) / self._scale
        closure = torch.from_numpy(demonstrations.states[:last, :-1, GRIPPER])
        actions[..., GRIPPER] = (closure + actions[..., GRIPPER] * self._scale[GRIPPER]).clamp(0.0, 1.0)
        episodes, steps = actions.shape[:2]

        def losses_at(iteration: int) -> dict[str, Tensor]:
            rng = np.random.default_rng([seed, iteration])
            episode, now = rng.integers(episodes, size=BATCH), rng.integers(steps, size=BATCH)
            goal = rng.integers(now + 1, np.minimum(now + SPAN, steps) + 1)
            noise = np.float32(LATENT_NOISE)
            present, wanted = (
                torch.from_numpy(x + noise * rng.standard_normal(x.shape, dtype=np.float32))
                for x in (demonstrations.latents[episode, now], demonstrations.latents[episode, goal])
            )
            states = (torch.from_numpy(demonstrations.states[episode, now]) - self._mean) / self._std
            error = (self._network(present, states, wanted) - actions[episode, now]).square()
            return {"total": error.mean()}

        torch.manual_seed(seed)
        fit(NAME, self._network, losses_at, FitSettings(iterations, learning_rate=1e-3), folder)

    def start(self, env: PandaTaskEnv, goals: Sequence[np.ndarray], seed: int) -> None:
        """Encode the goal picture. Raises ValueError for several."""
        if len(goals) != 1:
            raise ValueError(f"{len(goals)} goal pictures given; a flat policy is given one")
        contract = self._model.contract
        self._views = contract.pick_views(env.views)
        self._channels = contract.state.columns
        self._goal = self._model.encode(goals[0][None, self._views])

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """One observation, one action."""
        latent = self._model.encode(observation["images"][None, self._views])
        return self.action(latent, torch.from_numpy(observation["state"][self._channels]).float(), self._goal)

    @torch.inference_mode()
    def action(self, latent: Tensor, state: Tensor, goal: Tensor) -> np.ndarray:
        """Within the bounds, [A]: latent and goal [1, N, D], arm state [S]."""
        answer = self._network(latent, ((state - self._mean) / self._std)[None], goal)
        action = answer * self._scale
        action[:, GRIPPER] = (answer[:, GRIPPER] > 0.5).float() - state[GRIPPER]
        return self._space.executable(self._space.finish(action), state[GRIPPER])[0].numpy()
