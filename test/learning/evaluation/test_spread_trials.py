from pathlib import Path

from tiny_model import tiny_model, tiny_planner, tiny_verdict_head

from jepa_planner.learning.evaluation import spread_trials as trials_elsewhere
from jepa_planner.learning.evaluation.policies import NoopPolicy, WorldModelPolicy
from jepa_planner.learning.evaluation.spread_trials import PolicySpec, spread_trials
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.bundle import add_verdict_head, model_folder, save_bundle
from jepa_planner.model.contract_sections import TrainingSpec, VerdictSpec
from jepa_planner.planning.verdict import VerdictSettings


def test_two_processes_find_what_one_finds_whatever_the_order(monkeypatch):
    monkeypatch.setattr(trials_elsewhere, "SCENES_PER_JOB", 2)
    settings = TrialSettings("reach", 3)
    seconds: list[float] = []
    spread = sorted(spread_trials(PolicySpec(None, "noop"), settings, seconds, 2), key=lambda trial: trial.seed)
    assert spread == list(run_trials(NoopPolicy(), settings))
    assert seconds == []


def test_a_model_travels_as_settings_and_plans_the_same(tmp_path: Path):
    policy_spec, settings = PolicySpec(Path(model_folder())), TrialSettings("reach", 2, seed=3)
    seconds: list[float] = []
    spread = list(spread_trials(policy_spec, settings, seconds, 2))
    policy = policy_spec.policy([])
    assert isinstance(policy, WorldModelPolicy) and policy.latent_statistics is not None
    assert spread == list(run_trials(policy, settings))
    assert len(seconds) >= sum(trial.steps for trial in spread) - 2


def test_a_bundles_verdict_head_comes_along_unless_it_is_left_out(tmp_path: Path):
    model, head = tiny_model(), tiny_verdict_head()
    save_bundle(tmp_path, model.encoder, model.predictor, model.contract)
    tiny_planner().save(tmp_path)
    assert PolicySpec(tmp_path).policy([]).verdict_head is None
    spec = VerdictSpec(head=head.config, training=TrainingSpec(data="none", command="none"))
    add_verdict_head(tmp_path, tmp_path, head, spec)
    tiny_planner(verdict=VerdictSettings()).save(tmp_path)
    assert PolicySpec(tmp_path).policy([]).verdict_head.config == head.config
    assert PolicySpec(tmp_path, verdict=False).policy([]).verdict_head is None
    (trial,) = spread_trials(PolicySpec(tmp_path), TrialSettings("reach", 1), [], 2)
    assert 0.0 <= trial.certainty <= 1.0
