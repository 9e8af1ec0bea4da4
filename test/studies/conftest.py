from collections.abc import Callable

import pytest

from jepa_planner.learning.evaluation.spread_trials import PolicySpec
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from studies.sweep import sweep

Asked = list[tuple[PolicySpec, TrialSettings]]
Solved = Callable[[PolicySpec, TrialSettings, int], bool]


@pytest.fixture
def pretended(monkeypatch) -> Callable[[Solved], Asked]:
    """Trials of sweeps that are played by nobody: `solved` says which; returned is what was asked for."""

    def pretend(solved: Solved) -> Asked:
        asked: Asked = []

        def trials(policy, settings, seconds, processes, cluster):
            asked.append((policy, settings))
            seconds.append(0.25)
            numbers = reversed(range(settings.episodes))
            return (Trial(settings.scene_seed(n), solved(policy, settings, n), 4, 0.1, 0.0, "") for n in numbers)

        monkeypatch.setattr(sweep, "spread_trials", trials)
        return asked

    return pretend
