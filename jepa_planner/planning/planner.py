"""A model bundle as a planner: pictures of a goal go in, one action after the other comes out. No ROS, no simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepa_planner.model.bundle import load_latent_statistics, load_sub_goal_head, load_verdict_head, model_folder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.energy import energy_of
from jepa_planner.planning.factory import Asked, Controller, ControllerFactory
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost

if TYPE_CHECKING:
    from jepa_planner.model.latent_statistics import LatentStatistics
    from jepa_planner.planning.decision import Decision
    from jepa_planner.planning.solvers.plan import Solver
    from jepa_planner.planning.sub_goals import ImagineMode, SubGoalHeadLike
    from jepa_planner.planning.verdict import VerdictHeadLike


@dataclass
class Planner:
    """What plans with a model, as its bundle says or as is given here.

    settings: of the bundle. solver, deadline_s: those of the settings where None or 0. sub_goal_head, verdict_head,
    latent_statistics: the bundle's, None to do without. imagine_sub_goals: when sub-goals are imagined. goals [G, N,
    D]: latents of the goal pictures, once they are set.
    """

    model: WorldModel
    settings: PlannerSettings
    solver: Solver | None = None
    deadline_s: float = 0.0
    sub_goal_head: SubGoalHeadLike | None = None
    imagine_sub_goals: ImagineMode = "auto"
    latent_statistics: LatentStatistics | None = None
    verdict_head: VerdictHeadLike | None = None
    goals: Tensor | None = field(default=None, init=False)
    _controller: Controller | None = field(default=None, init=False, repr=False)

    @classmethod
    def load(
        cls,
        folder: str | Path = "",
        *,
        device: str = "cpu",
        dtype: str = "float32",
        backend: str = "torch",
        threads: int | None = None,
        views: Sequence[str] = (),
    ) -> Planner:
        """All that a bundle has; empty: the one that ships. The others: see `WorldModel.load`.

        Raises BundleError naming the file and field at fault.
        """
        folder = model_folder(folder)
        model = WorldModel.load(folder, device, dtype, backend, threads, views)
        return cls(
            model,
            PlannerSettings.load(folder, model.contract),
            sub_goal_head=load_sub_goal_head(folder, views),
            latent_statistics=load_latent_statistics(folder),
            verdict_head=load_verdict_head(folder, views),
        )

    def factory(self, seed: int = 0) -> ControllerFactory:
        """What makes controllers with this model; seed: of their searches."""
        energy = energy_of(self.settings.energy.kind, self.model.decoder)
        return ControllerFactory(
            self.model.contract,
            self.settings,
            WorldModelCost(self.model, energy, cuts_of(self.settings.search())),
            energy,
            self.solver or self.settings.search().solver(),
            self.deadline_s,
            seed,
            self.sub_goal_head,
            self.imagine_sub_goals,
            self.latent_statistics,
            self.verdict_head,
        )

    def set_goal(self, pictures: np.ndarray | Sequence[np.ndarray], *, seed: int = 0, max_steps: int = 0) -> None:
        """Begin with a goal picture, or with several that follow one another; max_steps bounds all actions, 0 does not.

        pictures: uint8 RGB [views, height, width, 3] each, views in the contract's order. Raises ContractError naming
        what does not fit, and OutOfDistributionGoalError for a picture unlike all that the model knows.
        """
        goals = [pictures] if isinstance(pictures, np.ndarray) and pictures.ndim == 4 else list(pictures)
        self._controller = None
        # one by one, as the nodes do: products of a batch differ in their last digits
        shown = [self.model.observe(goal[None])[0] for goal in goals]
        self.goals = torch.stack([picture.latent for picture in shown])
        factory = self.factory(seed)
        subgoals = factory.goals(shown, [Asked()] * len(goals), max_steps)
        self._controller = factory.controller(subgoals, max_steps)

    def act(self, pictures: np.ndarray, state: np.ndarray | Tensor) -> Decision:
        """One observation, one plan: the next action, or why there is none, in `kind`, `reason` and `message`.

        pictures: uint8 RGB [views, height, width, 3] of now. state [S]: the arm's, channels in the contract's order.
        The action is expected to be carried out before the next observation. Raises RuntimeError without a goal, and
        ContractError naming what does not fit.
        """
        if self._controller is None:
            raise RuntimeError("there is no goal yet: call set_goal first")
        state = torch.as_tensor(state, dtype=torch.float32)
        self.model.contract.check_state(len(state))
        return self._controller.step(self.model.observe(pictures[None])[0].with_state(state))
