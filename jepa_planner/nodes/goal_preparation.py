"""From the goal pictures of a request to a controller that holds their latents."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from torch import Tensor

from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.conversions import ConversionError, image_to_array
from jepa_planner.nodes.goal_pursuit import Ended, Outcome
from jepa_planner.nodes.hands import GoalHands
from jepa_planner.nodes.local_model import LocalEncoder
from jepa_planner.nodes.parameters import Parameters
from jepa_planner.nodes.remote_model import RemoteEncoder
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import Goal
from jepa_planner.planning.energy import latent_energy
from jepa_planner.planning.imagination import Imagination
from jepa_planner.planning.optimisers import optimiser_of
from jepa_planner.planning.settings import SearchSettings
from jepa_planner.planning.sub_goals import SubGoals
from jepa_planner.planning.wary_controller import WaryController, doubt_of_goal
from jepa_planner.world_model.aspect import same_aspect
from jepa_planner.world_model.bundle import load_familiarity, load_sub_goal_head
from jepa_planner.world_model.contract import Contract, ContractError


class GoalPreparation:
    """Judges requests before they are accepted, and makes the controller of each that was.

    parameters: those of mpc_node, which are read at each request.
    """

    def __init__(
        self,
        contract: Contract,
        bundle: Path,
        parameters: Parameters,
        encoder: LocalEncoder | RemoteEncoder,
        imagination: Imagination,
    ) -> None:
        self._contract, self._parameters = contract, parameters
        self._encoder, self._imagination = encoder, imagination
        self._familiarity = load_familiarity(bundle)
        self._sub_goal_head = load_sub_goal_head(bundle, contract.image.views)

    def check(self, request: ReachGoalImage.Goal) -> None:
        """Raises ValueError for what can never be pursued: no picture, or one that does not fit the model."""
        if not request.goals:
            raise ValueError("no goal image was given")
        for number, image in enumerate(request.goals):
            self._check_image(image, f"goal image {number + 1}")
        sizes = [(goal.views[0].width, goal.views[0].height) for goal in request.goals]
        for number, size in enumerate(sizes):
            if not same_aspect(size, sizes[0]):
                raise ValueError(
                    f"goal image {number + 1} is {size[0]} x {size[1]} pixels and goal image 1 {sizes[0][0]} x "
                    f"{sizes[0][1]}: all must be whole pictures of the same camera"
                )

    def controller(self, request: ReachGoalImage.Goal, hands: GoalHands) -> RecedingHorizonController | WaryController:
        """Encodes the goals, which may take long. Raises Ended for a picture that the model does not know."""
        planning, given = self._contract.planning, self._parameters
        count, imagine = len(request.goals), given["imagine_sub_goals"]
        tolerances = planning.tolerances(count)
        for number, (image, tolerance) in enumerate(zip(request.goals, tolerances, strict=True)):
            hands.report(None, f"encoding goal image {number + 1} of {count}")
            latent = self._encoder.encode(image.views)
            self._check_familiar(self._contract.latent_of(latent), number)
            budget = image.step_budget or self._contract.steps_per_goal_image(imagine, count, request.max_steps)
            hands.goals.append(Goal(latent, budget, image.tolerance or tolerance))
        sub_goals = None
        if self._contract.imagines(imagine, count):
            sub_goals = SubGoals(self._sub_goal_head, self._contract.sub_goals.pursuit)
        controller = RecedingHorizonController(
            self._imagination,
            optimiser_of(search_settings(self._contract, given)),
            ActionSpace.from_contract(self._contract),
            latent_energy(self._contract.energy.kind),
            ControllerSettings(
                self._contract.context_frames,
                request.max_steps,
                given["deadline_s"] or planning.deadline_s or math.inf,
                self._contract.latent.tokens,
            ),
            seed=given["seed"],
            sub_goals=sub_goals,
        )
        controller.start(hands.goals)
        if self._familiarity is None or not given["wary"]:
            return controller
        return WaryController(controller, self._familiarity, self._contract.familiarity, self._imagination)

    def _check_image(self, goal: GoalImage, name: str) -> None:
        try:
            views = [image_to_array(view) for view in goal.views]
            if any(view.shape != views[0].shape for view in views):
                raise ConversionError("its views differ in size")
            self._contract.check_images((1, len(views), *(views[0].shape if views else (0, 0, 3))))
        except (ConversionError, ContractError) as error:
            raise ValueError(f"{name}: {error}") from error
        if not (np.isfinite(goal.tolerance) and goal.tolerance >= 0):
            raise ValueError(f"{name}: tolerance is {goal.tolerance}, expected a finite number of at least 0")

    def _check_familiar(self, goal: Tensor, number: int) -> None:
        if self._familiarity is None or not self._parameters["wary"]:
            return
        if doubt := doubt_of_goal(goal.cpu(), self._familiarity, self._contract.familiarity):
            raise Ended(Outcome.UNFAMILIAR_GOAL, f"goal image {number + 1} {doubt}")


def search_settings(contract: Contract, parameters: Parameters) -> SearchSettings:
    """The model's recommended search, with what parameters override."""
    search = contract.planning.search(parameters["optimiser"])
    return search.resized(parameters["samples"], parameters["iterations"], parameters["horizon"])
