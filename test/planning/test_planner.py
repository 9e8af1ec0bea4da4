import numpy as np
import pytest
import torch
from small_models import small_contract, small_encoder, small_predictor, small_sub_goal_head, small_sub_goal_spec
from small_planner import small_planner

import jepa_planner
from jepa_planner.model.bundle import add_sub_goal_head, save_bundle
from jepa_planner.model.contract import ContractError
from jepa_planner.planning.decision import DecisionKind
from jepa_planner.planning.planner import Planner
from jepa_planner.planning.sub_goals import SubGoalSettings

STATE = np.array([0.5, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0])


def pictures(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def bundle(tmp_path):
    save_bundle(tmp_path, small_encoder(), small_predictor(), small_contract())
    small_planner(reached_energy=1e-9).save(tmp_path)
    return tmp_path


def test_three_lines_load_a_bundle_give_it_a_goal_and_return_the_next_action(bundle):
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    decision = planner.act(pictures(2), STATE)
    assert decision.kind is DecisionKind.MOVE
    bounds = planner.model.contract.action.max_abs
    assert decision.action.shape == (7,) and np.all(np.abs(decision.action) <= np.array(bounds) + 1e-6)


def test_the_same_pictures_goal_and_seed_give_the_same_action_and_another_seed_another(bundle):
    found = []
    for seed in (3, 3, 4):
        planner = Planner.load(bundle)
        planner.set_goal([pictures(1), pictures(5)], seed=seed)
        found.append(planner.act(pictures(2), STATE).action)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_a_goal_that_shows_what_is_there_ends_at_once(bundle):
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    assert planner.act(pictures(1), STATE).action is None


def test_what_the_bundle_has_is_used(bundle):
    add_sub_goal_head(bundle, bundle, small_sub_goal_head(), small_sub_goal_spec())
    small_planner(reached_energy=1e-9, sub_goals=SubGoalSettings(goal_distance=0.0, near_goal=0.0)).save(bundle)
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    assert planner.act(pictures(2), STATE).imagined is not None


def test_looking_before_there_is_a_goal_is_refused(bundle):
    with pytest.raises(RuntimeError, match="there is no goal yet: call set_goal first"):
        Planner.load(bundle).act(pictures(2), STATE)


@pytest.mark.parametrize(
    ("seen", "state", "says"),
    [
        (np.zeros((1, 32, 32, 3), np.uint8), STATE, "image.views: 1 given; this model needs 2, in order: front, side"),
        (np.zeros((2, 32, 32, 3), np.float32), STATE, "image: torch.float32 given; expected uint8 RGB"),
        (np.zeros((2, 32, 32, 3), np.uint8), STATE[:7], "state.channels: 7 given; this model needs 8"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(bundle, seen, state, says):
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    with pytest.raises(ContractError, match=says):
        planner.act(seen, state)


def test_a_goal_that_does_not_fit_leaves_no_goal_behind(bundle):
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    with pytest.raises(ContractError, match=r"image\.views"):
        planner.set_goal(pictures(1)[:1])
    with pytest.raises(RuntimeError, match="no goal"):
        planner.act(pictures(2), STATE)


def test_what_is_public_is_at_hand_under_the_packages_name():
    assert jepa_planner.Planner is Planner and jepa_planner.WorldModel.__name__ == "WorldModel"
    assert all(getattr(jepa_planner, name).__name__ == name for name in jepa_planner.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Hope'"):
        jepa_planner.Hope  # noqa: B018


def test_states_may_be_tensors(bundle):
    planner = Planner.load(bundle)
    planner.set_goal(pictures(1))
    assert planner.act(pictures(2), torch.from_numpy(STATE)).action is not None
