"""Candidate actions to energies, as a service: the part of planning that wants the fast machine."""

import sys
import time

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.model.bundle import model_folder
from jepa_planner.model.contract import ContractError
from jepa_planner.nodes.conversions import ConversionError, array_from, float_array
from jepa_planner.nodes.latents import observation_from
from jepa_planner.nodes.models import MODEL_PARAMETERS, model_id, world_model
from jepa_planner.nodes.parameters import Parameter
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.energy import latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.srv import Rollout

MAX_CANDIDATE_STEPS = 1_000_000


class PredictorNode(PlannerNode):
    """Serves `~/rollout`; nodes in the same process call `cost` instead."""

    PARAMETERS = (
        *MODEL_PARAMETERS,
        Parameter("energy", "", "Energy by name, see jepa_planner/planning/energy.py; empty: the model's own."),
    )

    def __init__(self, **options) -> None:
        super().__init__("predictor_node", **options)
        self._calls = 0
        self._seconds = 0.0
        self._status = OK

    def configure(self) -> None:
        given = self.parameters
        self._model = world_model(given)
        self.model_id = model_id(self._model.contract)
        self.get_logger().info(f"{self.model_id} runs on {self._model.backend}")
        settings = PlannerSettings.load(model_folder(given["model"]), self._model.contract)
        self._energy = latent_energy(given["energy"] or settings.energy.kind)
        self.cost = WorldModelCost(self._model, self._energy, cuts_of(settings.search()))
        self._horizon = settings.search().horizon
        self._warm_up()
        self._service = self.create_service(Rollout, "~/rollout", self._on_rollout)

    def cleanup(self) -> None:
        self.destroy_service(self._service)

    def health(self) -> tuple[Status, dict[str, object]]:
        numbers = {
            "model": self.model_id,
            "backend": self._model.backend,
            "calls": self._calls,
            "seconds_per_call": round(self._seconds, 4),
        }
        return self._status, numbers

    def _warm_up(self) -> None:
        """The first use of a model costs more than all later ones; better now than while an arm waits."""
        contract, device = self._model.contract, self._model.device
        frames, horizon = contract.context_frames, self._horizon
        latent = torch.zeros(contract.latent.tokens, contract.latent.channels, device=device)
        states = torch.zeros(frames, len(contract.state.channels), device=device)
        actions = torch.zeros(frames - 1 + horizon, len(contract.action.channels), device=device)
        context = Context(latent.expand(frames, -1, -1), states, actions[: frames - 1])
        self.cost.energies(context, latent, actions[None, frames - 1 :])

    def _on_rollout(self, request: Rollout.Request, response: Rollout.Response) -> Rollout.Response:
        if not self.active:
            response.message = "the predictor is not active"
            return response
        began_s = time.monotonic()
        try:
            context, goal, actions = self._read(request)
            if request.return_latents:
                latents = self._model.rollout(context, actions)
                energies = self._energy(latents, goal, actions)
                response.latents = float_array(latents.cpu().numpy())
            else:
                energies = self.cost.energies(context, goal, actions)
        except (ConversionError, ContractError) as error:
            response.message = str(error)
            self._status = Status(StatusCode.FAILED, str(error))
            return response
        response.energies = float_array(energies.cpu().numpy())
        response.success, self._status = True, OK
        self._calls += 1
        self._seconds = time.monotonic() - began_s
        return response

    def _read(self, request: Rollout.Request) -> tuple[Context, Tensor, Tensor]:
        contract = self._model.contract
        frames, state, action = len(request.context), len(contract.state.channels), len(contract.action.channels)
        if not frames:
            raise ConversionError("context is empty, expected at least the present latent")
        if not 0 < request.candidates * request.horizon <= MAX_CANDIDATE_STEPS:
            raise ConversionError(
                f"{request.candidates} candidates of {request.horizon} steps; expected 1 to {MAX_CANDIDATE_STEPS} steps"
            )
        seen = [observation_from(latent, self.model_id).latent for latent in request.context]
        for number, latent in enumerate(seen):
            contract.check_latent(latent.shape, f"context {number}")
        latents = torch.stack(seen)
        arrays = (
            array_from(request.states, (frames, state), "states"),
            array_from(request.past_actions, (frames - 1, action), "past_actions"),
            array_from(request.actions, (request.candidates, request.horizon, action), "actions"),
        )
        goal = observation_from(request.goal, self.model_id).latent
        contract.check_latent(goal.shape, "goal")
        device = self._model.device
        states, past, actions = map(torch.from_numpy, arrays)
        return Context(latents, states, past).to(device), goal.to(device), actions.to(device)


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(PredictorNode)


if __name__ == "__main__":
    sys.exit(main())
