"""From the goal pictures of a request to a controller that holds their latents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from jepa_planner.action import ReachGoalImage
from jepa_planner.core.aspect import same_aspect
from jepa_planner.core.observation import Observation
from jepa_planner.model.bundle import load_latent_statistics, load_sub_goal_head, load_verdict_head
from jepa_planner.model.contract import Contract, ContractError
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.conversions import ConversionError, image_to_array
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.goal_pictures import raw_goals
from jepa_planner.nodes.local_model import LocalEncoder
from jepa_planner.nodes.models import goal_library
from jepa_planner.nodes.parameters import Parameters
from jepa_planner.nodes.remote_model import RemoteEncoder
from jepa_planner.planning.decision import Decision, Goal
from jepa_planner.planning.energy import latent_energy
from jepa_planner.planning.factory import NO_STATISTICS, Asked, Controller, ControllerFactory
from jepa_planner.planning.out_of_distribution import OutOfDistributionGoalError
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import RolloutCost
from jepa_planner.planning.solvers.settings import SearchSettings


class GoalSink(Protocol):
    """What is told of goals while they are prepared, and gets them."""

    goals: list[Goal]

    def report(self, decision: Decision | None, status: str) -> None:
        """Lets people know."""
        ...


class GoalPreparation:
    """Judges requests before they are accepted, and makes the controller of each that was.

    parameters: those of mpc_node, which are read at each request.
    """

    def __init__(
        self,
        contract: Contract,
        settings: PlannerSettings,
        bundle: Path,
        parameters: Parameters,
        encoder: LocalEncoder | RemoteEncoder,
        cost: RolloutCost,
    ) -> None:
        self._contract, self._settings, self._parameters = contract, settings, parameters
        self._encoder, self._cost = encoder, cost
        self._library = goal_library(contract)
        self._latent_statistics = load_latent_statistics(bundle)
        self._sub_goal_head = load_sub_goal_head(bundle, contract.image.views)
        self._verdict_head = load_verdict_head(bundle, contract.image.views)

    def check(self, request: ReachGoalImage.Goal) -> None:
        """Puts raw pictures in the place of compressed ones and of names.

        Raises ValueError for what can never be pursued: no picture, or one that does not fit the model.
        """
        if not request.goals:
            raise ValueError("no goal image was given")
        request.goals = raw_goals(request.goals, self._contract, self._library)
        sizes = [self._check_image(image, f"goal image {number + 1}") for number, image in enumerate(request.goals)]
        for number, views in enumerate(sizes):
            for size, first in zip(views, sizes[0], strict=True):
                if not same_aspect(size, first):
                    raise ValueError(
                        f"goal image {number + 1} is {size[0]} x {size[1]} pixels and goal image 1 {first[0]} x "
                        f"{first[1]}: all must be whole pictures of the same camera"
                    )

    @property
    def unmonitored(self) -> str:
        """Why nothing can be monitored although it is asked for; empty where it can, or need not."""
        return (
            NO_STATISTICS if self._parameters["monitor_out_of_distribution"] and self._latent_statistics is None else ""
        )

    def controller(self, request: ReachGoalImage.Goal, sink: GoalSink) -> Controller:
        """Encodes the goals, which may take long. Raises Ended for a picture that the model does not know."""
        parameters, count = self._parameters, len(request.goals)
        factory = ControllerFactory(
            self._contract,
            self._settings,
            self._cost,
            latent_energy(self._settings.energy.kind),
            search_settings(self._settings, parameters).solver(),
            parameters["deadline_s"],
            parameters["seed"],
            self._sub_goal_head,
            parameters["imagine_sub_goals"],
            self._latent_statistics if parameters["monitor_out_of_distribution"] else None,
            self._verdict_head,
        )

        def encoded(number: int) -> Observation:
            sink.report(None, f"encoding goal image {number + 1} of {count}")
            observation = self._encoder.encode(request.goals[number].views)
            try:
                self._contract.check_observation(observation)
            except ContractError as error:
                raise Ended(Outcome.ENCODER_FAILED, f"encoder_node: {error}") from error
            return observation

        asked = [Asked(image.step_budget, image.tolerance) for image in request.goals]
        try:
            sink.goals = factory.goals(map(encoded, range(count)), asked, request.max_steps)
        except OutOfDistributionGoalError as error:
            raise Ended(Outcome.UNFAMILIAR_GOAL, str(error)) from error
        return factory.controller(sink.goals, request.max_steps)

    def _check_image(self, goal: GoalImage, name: str) -> list[tuple[int, int]]:
        """Width and height of each view in pixels; where they differ, the encoder knows how to make them alike."""
        try:
            shapes = [image_to_array(view).shape for view in goal.views]
            for shape in shapes or [(0, 0, 3)]:
                self._contract.check_images((1, len(shapes), *shape))
        except (ConversionError, ContractError) as error:
            raise ValueError(f"{name}: {error}") from error
        if not (np.isfinite(goal.tolerance) and goal.tolerance >= 0):
            raise ValueError(f"{name}: tolerance is {goal.tolerance}, expected a finite number of at least 0")
        return [(width, height) for height, width, _ in shapes]


def search_settings(settings: PlannerSettings, parameters: Parameters | Mapping[str, Any]) -> SearchSettings:
    """The model's recommended search, with what parameters override."""
    search = settings.search(parameters["solver"])
    return search.resized(parameters["samples"], parameters["iterations"], parameters["horizon"])
