"""Arms that are not like ours are no special cases: each is trained from end to end and planned with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from added_heads import acting
from short_training import SHORT, run, small_and_quick  # noqa: F401, a fixture
from tiny_training import episodes

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, YAW
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.model.bundle import load_sub_goal_head, load_verdict_head
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import SummedMse
from jepa_planner.planning.factory import ControllerFactory
from jepa_planner.planning.offline_plan import plan_offline
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost

SETTINGS = replace(SHORT, sub_goal_iterations=2, verdict_iterations=2, trust_data=True)


def fixed_gripper(some: Episodes) -> Episodes:
    """One that nobody ever told anything, as of a tool that is bolted on."""
    states, actions = some.states.copy(), some.actions.copy()
    states[..., GRIPPER], states[..., MEASURED], actions[..., GRIPPER] = 0.0, 0.0, 0.0
    return replace(some, states=states, actions=actions)


def five_axes(some: Episodes) -> Episodes:
    """Its hand turns about two axes; about the third it never does."""
    states, actions = some.states.copy(), some.actions.copy()
    turns = np.random.default_rng(1).uniform(-0.1, 0.1, (*actions.shape[:2], 2)).astype(np.float32)
    actions[..., 3:5], actions[..., 5] = turns, 0.0
    states[:, 1:, 3:5] = states[:, :1, 3:5] + np.cumsum(turns, axis=1)
    return replace(some, states=states, actions=actions)


def turning_wrist(some: Episodes) -> Episodes:
    """Its yaw goes on past half a turn, where the number jumps from pi to -pi."""
    states, actions = some.states.copy(), some.actions.copy()
    actions[..., YAW] = 0.9
    yaw = 1.0 + np.cumsum(np.concatenate([np.zeros((len(states), 1)), actions[..., YAW]], axis=1), axis=1)
    states[..., YAW] = (yaw + np.pi) % (2 * np.pi) - np.pi
    return replace(some, states=states, actions=actions)


def pressing_gripper(some: Episodes) -> Episodes:
    """It is told how hard to press: it closes part of the way, and what it holds stops the fingers."""
    states = acting(some).states.copy()
    states[:, 3:7, GRIPPER], states[:, 3:7, MEASURED] = 0.6, 0.35
    return replace(some, states=states)


ODD = {
    "fixed gripper": (fixed_gripper, {GRIPPER}), "five axes": (five_axes, {5}),
    "turning wrist": (turning_wrist, {3, 4}), "pressing gripper": (pressing_gripper, {3, 4, 5}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_arm_is_trained_and_only_what_it_moves_is_planned(name, tmp_path: Path):
    change, held = ODD[name]
    some = change(episodes(count=8, steps=10))
    run(tmp_path, some, SETTINGS)
    model = WorldModel.load(tmp_path / "bundle")
    bounds = model.contract.action.max_abs
    assert {channel for channel, bound in enumerate(bounds) if bound == 0.0} >= held
    assert bounds[0] > 0.0
    bundle = tmp_path / "bundle"
    planned, energy = PlannerSettings.load(bundle, model.contract), SummedMse()
    factory = ControllerFactory(
        model.contract, planned, WorldModelCost(model, energy), energy,
        sub_goal_head=load_sub_goal_head(bundle), verdict_head=load_verdict_head(bundle),
    )  # fmt: skip
    now, goal = (model.observe(some.images[:1, frame])[0] for frame in (0, 8))
    actions = plan_offline(model, now.with_state(some.states[0, 0]), goal, factory).actions
    assert len(actions) and actions.isfinite().all()
    assert (actions.abs() <= torch.tensor(bounds) + 1e-6).all()
