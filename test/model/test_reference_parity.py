"""Every array of the reference vectors, through the code that plans: fp32 within 1e-5, the plan within 1e-4."""

import pytest
import torch
from reference_vectors import SIZE, reference_world_model, relative_error, vectors

from jepa_planner.core.poses import action_between, apply_action
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.rollout.engine import RolloutEngine
from jepa_planner.model.rollout.plain import plain_rollout
from jepa_planner.model.world_model import Context, WorldModel
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.energy import Energy, LastStepL1
from jepa_planner.planning.rollout_cost import RolloutCost, WorldModelCost
from jepa_planner.planning.solvers.cem import CemSettings, CrossEntropyMethod
from jepa_planner.planning.solvers.plan import PlanningProblem

TOLERANCE, PLAN_TOLERANCE = 1e-5, 1e-4


@pytest.mark.parametrize(("frames", "clip"), [("frames", "clip"), ("wide_frames", "wide_clip")])
def test_preprocessing_equals_the_reference(frames, clip):
    given = preprocess(vectors()[frames], SIZE).movedim(0, 1)
    assert relative_error(given, vectors()[clip]) < TOLERANCE


@pytest.mark.parametrize("with_gradient", [True, False])
def test_encoder_tokens_and_latents_equal_the_reference(with_gradient):
    encoder = reference_world_model().encoder.requires_grad_(with_gradient)
    images = vectors()["clip"].movedim(0, 1)[:, None]
    assert relative_error(encoder.tokens(images), vectors()["encoder_tokens"]) < TOLERANCE
    assert relative_error(encoder(images), vectors()["latents"]) < TOLERANCE


def test_encoding_camera_pixels_gives_the_reference_latents():
    latents = reference_world_model().encode(vectors()["frames"][:, None])
    assert relative_error(latents, vectors()["latents"]) < TOLERANCE


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("with_gradient", [True, False])
def test_predictions_equal_the_reference(steps, with_gradient):
    predictor = reference_world_model().predictor.requires_grad_(with_gradient)
    latents = vectors()[f"pred_in_{steps}"].unflatten(1, (steps, 16))
    actions, states = vectors()[f"pred_act_{steps}"], vectors()[f"pred_state_{steps}"]
    expected = vectors()[f"pred_out_{steps}"].unflatten(1, (steps, 16))
    assert relative_error(predictor(latents, actions, states), expected) < TOLERANCE
    cache = predictor.new_cache()
    one_by_one = [predictor.step(latents[:, t], actions[:, t], states[:, t], cache) for t in range(steps)]
    assert relative_error(torch.stack(one_by_one, dim=1), expected) < TOLERANCE


def test_pose_update_equals_the_reference():
    given = apply_action(vectors()["pose_in"], vectors()["pose_act"])
    assert relative_error(given, vectors()["pose_out"]) < TOLERANCE


def test_pose_difference_equals_the_reference():
    states = vectors()["states"].double()
    assert relative_error(action_between(states[0, 0], states[0, 1]), vectors()["pose_diff"]) < TOLERANCE


CUTS = cuts_of(CemSettings())


def rollout_by(path: str) -> RolloutCost:
    model, energy = reference_world_model(), LastStepL1()
    if path == "plain":
        return PlainCost(model, energy)
    if path == "fast, rough and confirmed":
        model.engine = RolloutEngine(model.predictor, "bfloat16")
    if path == "fast in chunks of 13":
        model.engine = RolloutEngine(model.predictor, chunk=13, threads=2)
    return WorldModelCost(model, energy, CUTS)


class PlainCost:
    """`RolloutCost` by the plain path."""

    def __init__(self, model: WorldModel, energy: Energy) -> None:
        self._model, self._energy = model, energy

    def energies(self, context: Context, goal: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self._energy(plain_rollout(self._model.predictor, context, actions), goal, actions)


@pytest.mark.parametrize("path", ["plain", "fast", "fast in chunks of 13", "fast, rough and confirmed"])
def test_a_replayed_cem_search_ends_with_the_plan_of_the_reference(path):
    horizon, samples, elites, iterations, mean, std, mean_gripper, std_gripper, max_norm = vectors()[
        "cem_args"
    ].tolist()
    cem = CrossEntropyMethod(
        CemSettings(
            horizon=int(horizon),
            samples=int(samples),
            elites=int(elites),
            iterations=int(iterations),
            momentum_mean=mean,
            momentum_std=std,
            momentum_mean_gripper=mean_gripper,
            momentum_std_gripper=std_gripper,
        )
    )
    arm = (max_norm, max_norm, max_norm, 0.0, 0.0, 0.0)
    space = ActionSpace(max_abs=(*arm, 0.75), initial_std=(*arm, 1.0), gripper_deadband=0.25)
    cost = rollout_by(path)
    start, goal = vectors()["latents"]
    context = Context(start[None], vectors()["states"][0, :1], torch.zeros(0, 7))
    draws = iter(vectors()["cem_draws"].split(int(horizon)))
    problem = PlanningProblem(lambda actions: cost.energies(context, goal, actions), space)
    plan = cem.plan(problem, lambda shape: next(draws))
    assert (plan.actions - vectors()["cem_plan"]).abs().max() < PLAN_TOLERANCE
