"""A model that knows one camera and seven numbers of the arm, tried in a simulation that offers more."""

from dataclasses import replace

import pytest
from reference_vectors import CHECKPOINT, SIZE, reference_world_model

from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.contract import ContractError
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.vjepa2_planner import vjepa2_planner

PLANNER = replace(vjepa2_planner(), cem=CemSettings(horizon=1, samples=8, iterations=1, elites=2))


def model(**settings) -> WorldModel:
    reference = reference_world_model()
    contract = vjepa2_contract(find_vjepa2_ac(CHECKPOINT, SIZE), ImportSettings(name="tiny", **settings), "none")
    return WorldModel(contract, reference.encoder, reference.predictor)


@pytest.mark.parametrize(("view", "number"), [("side", 1), ("wrist", 2)])
def test_it_plans_with_its_own_view_and_channels(view, number):
    seen = []
    tiny = model(view=view, tcp_frame="tcp")
    observe = tiny.observe
    tiny.observe = lambda images: seen.append(images) or observe(images)
    policy = WorldModelPolicy(tiny, PLANNER)
    (trial,) = run_trials(policy, TrialSettings("reach", 1, goal_images="one"))
    assert trial.steps > 0 and len(policy.plan_seconds) > 0
    assert {images.shape for images in seen} == {(1, 1, 64, 64, 3)}
    assert policy.views == [number]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"view": "ceiling", "tcp_frame": "tcp"},
            "image.views: 'ceiling' is needed; the cameras given are front, side",
        ),
        ({"view": "side"}, "state.tcp_frame: 'tcp' given; this model was trained in 'panda_link8'"),
    ],
)
def test_what_the_simulation_does_not_offer_is_refused_by_name(settings, message):
    with pytest.raises(ContractError, match=message):
        next(run_trials(WorldModelPolicy(model(**settings), PLANNER), TrialSettings("reach", 1, goal_images="one")))
