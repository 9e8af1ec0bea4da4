"""The closed check: the simulated arm does a known action, and the shipped model's landscape has to say so."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from jepa_planner.core.arm_layout import AXIS_NAMES
from jepa_planner.learning.evaluation.camera_report import CameraReport, Truth, assess
from jepa_planner.learning.evaluation.landscape_report import model_facts
from jepa_planner.learning.evaluation.picture_pair import PicturePair, context_and_goal
from jepa_planner.model.bundle import model_folder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import distance_to_goal, latent_energy
from jepa_planner.planning.landscape import grid_axis, sweep
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner_sim.envs import PandaTaskEnv

MOVES = [
    ("y z", [0.0, -0.04, 0.03]), ("y z", [0.0, 0.045, -0.03]), ("x y", [-0.04, 0.03, 0.0]), ("x z", [-0.03, 0.0, 0.04]),
]  # fmt: skip
START_TCP_M = (0.5, 0.0, 0.15)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel.load(model_folder())


@pytest.fixture(scope="module")
def env() -> Iterator[PandaTaskEnv]:
    env = PandaTaskEnv("pick_place")
    env.reset(seed=1_400_003)
    yield env
    env.close()


def pictures(env: PandaTaskEnv, action: list[float]) -> PicturePair:
    """Before and after an action from the middle of the workspace."""
    seven = np.zeros(7, np.float32)
    seven[: len(action)] = action
    env.driver.place_tcp(START_TCP_M)
    before = env.world.render(), env.world.state()
    env.driver.execute(seven)
    return PicturePair(before[0], env.world.render(), before[1], seven)


def observe(model: WorldModel, pair: PicturePair, axes: str) -> CameraReport:
    settings = PlannerSettings.load(model_folder(), model.contract)
    energy = latent_energy(settings.energy.kind)
    cost = WorldModelCost(model, energy)
    context, goal = context_and_goal(model, pair)
    now = distance_to_goal(energy, context.latents[0], goal, 7)
    limits = model.contract.action.max_abs
    grid = [grid_axis(name, limits[AXIS_NAMES.index(name)], 13, float(pair.state[6])) for name in axes.split()]
    true_energy = cost.energies(context, goal, torch.from_numpy(pair.true_action)[None, None]).item()
    landscape = sweep(cost, context, goal, now, grid)
    return assess(landscape, Truth(pair.true_action, true_energy), model_facts(model.contract, settings))


@pytest.mark.parametrize(("axes", "action"), MOVES)
def test_the_minimum_lies_within_one_grid_step_of_what_the_arm_did(axes, action, model, env):
    report = observe(model, pictures(env, action), axes)
    assert report.sound
    assert max(abs(off) for off in report.offset) <= 0.0101


def test_closing_the_gripper_is_seen(model, env):
    report = observe(model, pictures(env, [0.0] * 6 + [1.0]), "gripper")
    assert report.sound and abs(report.offset[0]) <= 1.01 / 12


@pytest.mark.parametrize(("axes", "action"), MOVES[:3])
def test_mirrored_pictures_are_complained_of(axes, action, model, env):
    pair = pictures(env, action)
    mirrored = PicturePair(pair.image[:, :, ::-1].copy(), pair.goal[:, :, ::-1].copy(), pair.state, pair.true_action)
    report = observe(model, mirrored, axes)
    assert not report.sound
    assert any(finding.name == "far" for finding in report.findings)
