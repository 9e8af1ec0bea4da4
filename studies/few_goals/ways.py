"""Ways to reach what one goal picture shows, with the same latents and, where needed, the same demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.evaluation.policies import Policy, WorldModelPolicy
from jepa_planner.learning.evaluation.spread_trials import PolicySpec
from jepa_planner.learning.training.demonstrations import Demonstrations, encoded_demonstrations
from jepa_planner.model.bundle import load_verdict_head
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.few_goals.flat_policy import FlatPolicy
from studies.few_goals.retrieval import RetrievedKeyframes
from studies.result_cache import episodes_asked

WAYS = {
    "imagined": "search toward imagined sub-goals",
    "retrieved": "search toward keyframes of the demonstration that fits best",
    "search alone": "search toward the goal picture",
    "flat policy": "no search: a policy from latents to actions; it says nothing: solved at the end",
}


def ways(bundle: Path, demonstrations: Sequence[Path], run_folder: Path, iterations: int) -> dict[str, PolicySpec]:
    """The policy of each of WAYS; what must be prepared is prepared when it is first tried, and kept in run_folder."""
    return {
        "imagined": PolicySpec(bundle, imagine_sub_goals="always", monitored=False),
        "retrieved": Retrieving(bundle, monitored=False, demonstrations=tuple(demonstrations), run_folder=run_folder),
        "search alone": PolicySpec(bundle, imagine_sub_goals="never", monitored=False),
        "flat policy": Flat(
            bundle, monitored=False, demonstrations=tuple(demonstrations), run_folder=run_folder, iterations=iterations
        ),
    }


@dataclass(frozen=True)
class _FromDemonstrations(PolicySpec):
    """A policy that needs the demonstrations themselves, which are encoded once per run_folder."""

    demonstrations: tuple[Path, ...] = ()
    run_folder: Path = Path()

    def settings(self) -> dict[str, object]:
        """See `PolicySpec.settings`; demonstrations by their content."""
        plain = super().settings()
        del plain["run_folder"]
        return plain | {"demonstrations": episodes_asked(self.demonstrations)}

    def _shown(self, model: WorldModel) -> Demonstrations:
        return encoded_demonstrations(read_episodes(self.demonstrations), model, self.run_folder)


@dataclass(frozen=True)
class Retrieving(_FromDemonstrations):
    """Search toward moments that are looked up."""

    def policy(self, plan_seconds: list[float]) -> Policy:
        """See `PolicySpec.policy`."""
        model = WorldModel.load(self.folder)
        return WorldModelPolicy(
            model, PlannerSettings.load(self.folder, model.contract), plan_seconds,
            sub_goal_head=RetrievedKeyframes(self._shown(model)), imagine_sub_goals="always",
            verdict_head=load_verdict_head(self.folder),
        )  # fmt: skip


@dataclass(frozen=True)
class Flat(_FromDemonstrations):
    """No search; it is trained first."""

    iterations: int = 6000

    def policy(self, plan_seconds: list[float]) -> Policy:
        """See `PolicySpec.policy`."""
        model = WorldModel.load(self.folder)
        shown = self._shown(model)
        policy = FlatPolicy(model, PlannerSettings.load(self.folder, model.contract), shown)
        policy.train(shown, self.iterations, self.run_folder)
        return policy
