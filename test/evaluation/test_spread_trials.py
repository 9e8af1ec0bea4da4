from pathlib import Path

from jepa_planner.evaluation.policies import NoopPolicy, WorldModelPolicy
from jepa_planner.evaluation.spread_trials import SCENES_PER_JOB, Contestant, spread_trials
from jepa_planner.evaluation.trials import TrialSettings, run_trials
from jepa_planner.world_model.bundle import model_folder


def test_two_processes_find_what_one_finds_whatever_the_order():
    settings = TrialSettings("reach", SCENES_PER_JOB + 2)
    seconds: list[float] = []
    spread = sorted(spread_trials(Contestant(None, "noop"), settings, seconds, 2), key=lambda trial: trial.seed)
    assert spread == list(run_trials(NoopPolicy(), settings))
    assert seconds == []


def test_a_model_travels_as_settings_and_plans_the_same(tmp_path: Path):
    contestant, settings = Contestant(Path(model_folder())), TrialSettings("reach", 2, seed=3)
    seconds: list[float] = []
    spread = list(spread_trials(contestant, settings, seconds, 2))
    policy = contestant.policy([])
    assert isinstance(policy, WorldModelPolicy) and policy.familiarity is not None
    assert spread == list(run_trials(policy, settings))
    assert len(seconds) >= sum(trial.steps for trial in spread) - 2
