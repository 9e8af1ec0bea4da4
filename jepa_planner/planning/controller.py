"""Receding horizon: observe, plan, take the first action, and again, until the goal images are reached."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.candidates import CandidateSample
from jepa_planner.planning.contrast import Contrast
from jepa_planner.planning.decision import Decision, DecisionKind, Goal, Reason
from jepa_planner.planning.energy import Energy, distance_to_goal
from jepa_planner.planning.finishing import finishing_actions
from jepa_planner.planning.progress import Progress, ProgressSettings
from jepa_planner.planning.rollout_cost import RolloutCost
from jepa_planner.planning.solvers.noise import NoiseSource, SeededNoise
from jepa_planner.planning.solvers.plan import EnergyFunction, NonFiniteEnergyError, Plan, PlanningProblem, Solver
from jepa_planner.planning.solvers.proposals import Proposals
from jepa_planner.planning.sub_goals import SubGoals, tcp_off_m2
from jepa_planner.planning.verdict import LEAVE, LET_GO, NOTHING, Judge, NonFiniteVerdictError, Verdict

BOUND_SLACK = 1e-5
ELSEWHERE_M = 0.05
"""Objects that are thought to be farther from where a goal image shows them lie elsewhere, however small the energy."""


@dataclass(frozen=True)
class ControllerSettings:
    """How much the controller remembers, acts and searches."""

    context_frames: int = 1
    """Observations the model is given, at least 1; fewer while there is no such history."""
    max_steps: int = 0
    """Actions over all goals, at least 0; 0 leaves only the goals' own budgets."""
    deadline_s: float = math.inf
    """Time for each search, more than 0."""

    def __post_init__(self) -> None:
        if self.context_frames < 1 or self.max_steps < 0 or not self.deadline_s > 0.0:
            raise ValueError(f"{self}: expected context_frames >= 1, max_steps >= 0, deadline_s > 0")


class RecedingHorizonController:
    """Decides one action per observation; never touches the arm.

    A goal is left for the next when its energy is at or below its tolerance or its budget is spent. The work ends when
    the last goal is reached, which the judge says where there is one, by what is seen of the objects; when nothing
    brings it nearer; and with a model to which all candidate actions are alike. With sub_goals, plans lead to what
    these imagine on the way; when a goal is left, they have no say. The same seed, goals and observations give the same
    decisions.
    """

    def __init__(
        self,
        cost: RolloutCost,
        solver: Solver,
        action_space: ActionSpace,
        energy: Energy,
        settings: ControllerSettings,
        seed: int = 0,
        proposals: Proposals | None = None,
        sub_goals: SubGoals | None = None,
        judge: Judge | None = None,
        progress: ProgressSettings | None = None,
    ) -> None:
        self._cost, self._solver = cost, solver
        self._action_space, self._energy = action_space, energy
        self._settings, self._seed, self._proposals = settings, seed, proposals
        self._sub_goals, self._judge = sub_goals, judge
        self._progress_settings = progress or ProgressSettings()
        self._observed: deque[Observation] = deque(maxlen=settings.context_frames)
        self._executed: deque[Tensor] = deque(maxlen=settings.context_frames - 1)
        self._goals: list[Goal] = []
        self._noise: NoiseSource | None = None  # None: no work in progress

    def start(self, goals: Sequence[Goal]) -> None:
        """Begins with the first of `goals`, without history; raises ValueError where there is none."""
        if not goals:
            raise ValueError("no goal image was given; at least one is needed")
        self._goals = list(goals)
        self._noise = SeededNoise(self._seed)
        self._observed.clear()
        self._executed.clear()
        self._pending: Tensor | None = None
        self._last_plan: Plan | None = None
        self._verdict: Verdict | None = None
        self._progress = Progress(self._progress_settings)
        self._forget_sub_goals()
        if self._judge is not None:
            self._judge.forget()
        self._sub_goal = self._sub_goals_reached = self._steps_in_sub_goal = self._total_steps = 0

    def note_executed(self, action: np.ndarray | Tensor) -> None:
        """Tells which action [A] really was executed after the last decision; by default it is the decided one."""
        self._pending = torch.as_tensor(action, dtype=torch.float32, device="cpu")

    def forget_last_action(self) -> None:
        """Tells that the arm refused the last decision: it was no step, and the next observation replaces its own."""
        if self._pending is None:
            raise RuntimeError("no decided action is waiting; call this once after a decision to move")
        self._pending = None
        self._last_plan = None
        self._steps_in_sub_goal -= 1
        self._total_steps -= 1
        if self._sub_goals is not None:
            self._sub_goals.forget_last_observation()
        if self._judge is not None:
            self._judge.forget_last_observation()
        self._progress.forget_last_observation()

    def step(self, observation: Observation) -> Decision:
        """Decides from an observation of an arm at rest, with its state.

        Raises RuntimeError without `start`, or after the work has ended, and ValueError where shapes differ from the
        goal's.
        """
        self._noise_of_work()
        observation = observation.to("cpu")
        latent, state = observation.latent, observation.arm_state
        self._check_shapes(observation)
        if not (latent.isfinite().all() and (observation.images is None or observation.images.isfinite().all())):
            return self._end(Reason.INVALID_LATENT, math.nan)
        if not state.isfinite().all():
            return self._end(Reason.INVALID_STATE, math.nan)
        self._remember(observation)
        if self._judge is not None:
            try:
                self._verdict = self._judge.observe(observation, self._goals[-1].shown)
            except NonFiniteVerdictError as error:
                self._verdict = None
                return self._end(Reason.INVALID_ENERGY, self._energy_to_goal(latent), str(error))
        not_needed = self._go_to_last() if self._finishes() else ""
        news, looked = "", False
        while True:
            energy = self._energy_to_goal(latent)
            if not math.isfinite(energy):
                return self._end(Reason.INVALID_ENERGY, energy, "the observation's own is NaN or infinite")
            if not looked:  # of goals that are left at once, only the first is looked at
                holds = self._judge is not None and self._judge.holds(state)
                self._progress.observe(energy, None if self._tours() else self._verdict, holds)
                looked = True
            is_last = self._sub_goal == len(self._goals) - 1
            reached = energy <= self._goal.tolerance
            if is_last and self._verdict is not None:
                reached = self._verdict.ends(reached)
            if not reached and not self._budget_spent():
                if self._progress.stalled and not self._finishes():
                    return self._end(Reason.STALLED, energy, self._progress.in_words())
                return self._move(energy, news)
            self._sub_goals_reached += reached
            if is_last and reached:
                return self._end(Reason.REACHED, energy, not_needed)
            if is_last or self._all_steps_spent():
                return self._end(Reason.BUDGET_SPENT, energy)
            left = "reached" if reached else "left after its step budget"
            news += f"; goal image {self._sub_goal + 1} {left} at energy {energy:.4g}"
            self._go_to_goal(self._sub_goal + 1)
            if reached:
                self._progress.reached_goal()

    def _noise_of_work(self) -> NoiseSource:
        """What searches draw from; raises RuntimeError where no work is in progress."""
        if self._noise is None:
            raise RuntimeError("no goal is pursued; call start(goals) first")
        return self._noise

    def _go_to_goal(self, sub_goal: int) -> None:
        """Goes on to another goal image, with its own budget and without what was for the one before."""
        self._sub_goal, self._steps_in_sub_goal, self._last_plan = sub_goal, 0, None
        self._progress.next_goal()
        self._forget_sub_goals()

    def _tours(self) -> bool:
        """Whether a goal image on the way is pursued for itself: the verdict on the last one says nothing of it."""
        is_last = self._sub_goal == len(self._goals) - 1
        return self._verdict is not None and not self._verdict.by_work and not is_last

    def _finishes(self) -> bool:
        """Whether work has brought objects to where the last goal image shows them, and the hand at most has to leave.

        Where they lay so at the first observation, the goal images on the way are what the work is about.
        """
        verdict = self._verdict
        return verdict is not None and verdict.by_work and verdict.missing in (NOTHING, LET_GO, LEAVE)

    def _place_of_arm_m(self) -> Tensor | None:
        """Where the pursued, last goal image shows the tcp [3], if objects lie, and lay at the first observation, as it
        shows them: then it is about the arm, and there is nothing on the way to it. Else None.
        """
        verdict, is_last = self._verdict, self._sub_goal == len(self._goals) - 1
        if not is_last or verdict is None or verdict.by_work or not verdict.objects_hold:
            return None
        return torch.tensor(verdict.shown_m)

    def _objects_lie_elsewhere(self) -> bool:
        """Whether the verdict is that objects lie far from where the pursued, last goal image shows them."""
        verdict, is_last = self._verdict, self._sub_goal == len(self._goals) - 1
        return is_last and verdict is not None and not verdict.objects_hold and verdict.off_m > ELSEWHERE_M

    def _go_to_last(self) -> str:
        """Passes over the goal images on the way, which have not been reached, and says how many those are."""
        passed_over = len(self._goals) - 1 - self._sub_goal
        if passed_over:
            self._go_to_goal(len(self._goals) - 1)
        return f"goal images on the way that were not needed: {passed_over}" if passed_over else ""

    @property
    def _goal(self) -> Goal:
        return self._goals[self._sub_goal]

    def _all_steps_spent(self) -> bool:
        return 0 < self._settings.max_steps <= self._total_steps

    def _budget_spent(self) -> bool:
        return self._steps_in_sub_goal >= self._goal.budget_steps or self._all_steps_spent()

    def _energy_to_goal(self, latent: Tensor) -> float:
        return distance_to_goal(self._energy, latent, self._goal.latent, len(self._action_space.max_abs))

    def _check_shapes(self, observation: Observation) -> None:
        for name in ("latent", "images"):
            given, goal = (getattr(one, name) for one in (observation, self._goal.shown))
            given, expected = (None if field is None else list(field.shape) for field in (given, goal))
            if given != expected:
                raise ValueError(f"{name}: shape {given} given; the goal's is {expected}")

    def _remember(self, observation: Observation) -> None:
        if self._pending is not None:
            self._executed.append(self._pending)
            self._pending = None
        elif self._observed:  # refused, or planning failed: nothing was executed since the last observation
            self._observed.pop()
        self._observed.append(observation)

    def _context(self) -> Context:
        latents, states = zip(*((seen.latent, seen.arm_state) for seen in self._observed), strict=True)
        no_actions = torch.zeros(0, len(self._action_space.max_abs))
        executed = torch.stack(list(self._executed)) if self._executed else no_actions
        return Context(torch.stack(latents), torch.stack(states), executed)

    def _forget_sub_goals(self) -> None:
        if self._sub_goals is not None:
            self._sub_goals.forget()

    def _move(self, energy: float, news: str) -> Decision:
        context, goal = self._context(), self._goal
        state = context.states[-1]
        closure = state[GRIPPER]
        target, imagined, place_m = goal.latent, None, self._place_of_arm_m()
        arm_weight = 0.0 if self._judge is None else self._judge.settings.arm_weight
        if place_m is None and self._sub_goals is not None and not self._finishes():
            imagined = self._sub_goals.target(self._observed[-1], goal.shown, self._objects_lie_elsewhere())
            target, news = imagined.latent, f"; {imagined}{news}"

        contrast, tried = Contrast(), CandidateSample()

        def energy_of(actions: Tensor) -> Tensor:
            executable = self._action_space.executable(actions, closure)
            energies = self._cost.energies(context, target, executable)
            contrast.note(executable, energies)  # what the model sees, before what the arm alone tells
            if place_m is not None:
                off_m2 = tcp_off_m2(state, executable, place_m).sum(dim=1)
                energies = energies + (arm_weight * off_m2).to(energies)
            elif imagined is not None:
                energies = energies + imagined.arm_energy(state, executable).to(energies)
            tried.note(executable, energies)
            return energies

        try:
            plan = self._finishing_plan(context, energy_of) or self._searched_plan(context, target, energy_of)
        except NonFiniteEnergyError as error:
            return self._end(Reason.INVALID_ENERGY, energy, str(error))
        if contrast.is_flat:
            return self._end(Reason.INVALID_ENERGY, energy, str(contrast))
        if self._settled(energy, plan, energy_of):
            self._sub_goals_reached += 1
            return self._end(Reason.REACHED, energy, "its energy no longer falls, and no plan is imagined to lower it")
        plan = replace(plan, actions=self._action_space.executable(plan.actions, closure))
        excess = (plan.actions - self._action_space.clip(plan.actions)).abs()
        if not plan.actions.isfinite().all() or excess.max() > BOUND_SLACK:
            return self._end(Reason.INVALID_PLAN, energy)
        self._pending = plan.actions[0]
        self._last_plan = plan
        self._steps_in_sub_goal += 1
        self._total_steps += 1
        where = f"goal image {self._sub_goal + 1} of {len(self._goals)}"
        count = f"step {self._steps_in_sub_goal} of {goal.budget_steps}"
        message = f"{where}, {count}, energy {energy:.4g} (tolerance {goal.tolerance:.4g}){news}"
        decision = self._decision(DecisionKind.MOVE, Reason.ON_THE_WAY, message, energy, plan)
        return replace(decision, imagined=imagined, candidates=tried.shown())

    def _finishing_plan(self, context: Context, energy_of: EnergyFunction) -> Plan | None:
        """Where only the hand is in the way of what is done, how it gets out of it."""
        actions, horizon = None, self._solver.horizon
        if self._judge is not None and self._verdict is not None and self._finishes():
            back = self._judge.settings.back
            actions = finishing_actions(self._verdict, context.states[-1], horizon, self._action_space, back)
        if actions is None:
            return None
        imagined_energy = float(energy_of(actions[None])[0])
        if not math.isfinite(imagined_energy):
            raise NonFiniteEnergyError("the energy of letting go and leaving is NaN or infinite")
        return Plan(actions, imagined_energy, evaluations=1, seconds=0.0)

    def _searched_plan(self, context: Context, target: Tensor, energy_of: EnergyFunction) -> Plan:
        proposals, deadline_s = self._sequences_to_try(context, target), self._settings.deadline_s
        problem = PlanningProblem(energy_of, self._action_space, proposals)
        return self._solver.plan(problem, self._noise_of_work(), deadline_s)

    def _settled(self, energy: float, plan: Plan, energy_of: EnergyFunction) -> bool:
        """Whether, of a model without a verdict, the last goal is as near as it gets."""
        is_last = self._sub_goal == len(self._goals) - 1
        if self._judge is not None or not is_last or not self._progress.settled(energy):
            return False
        idle = float(energy_of(torch.zeros_like(plan.actions)[None])[0])
        return plan.energy >= (1.0 - self._progress_settings.energy_gain) * idle

    def _sequences_to_try(self, context: Context, target: Tensor) -> Tensor:
        """What is left of the plan before, while it was for the same goal, and what the source proposes."""
        horizon = self._solver.horizon
        sequences = torch.zeros(0, horizon, len(self._action_space.max_abs))
        if self._last_plan is not None:
            sequences = self._last_plan.shifted()
        if self._proposals is not None:
            sequences = torch.cat([sequences, self._proposals(context, target, horizon)])
        return sequences

    def _end(self, reason: Reason, energy: float, detail: str = "") -> Decision:
        self._noise = None
        kind = DecisionKind.REACHED if reason is Reason.REACHED else DecisionKind.GAVE_UP
        verdict = self._verdict
        if verdict is not None and reason is Reason.REACHED:
            verdict = replace(verdict, missing="")  # what a verdict would have waited for, the energy did not
        by_energy = verdict is None or not verdict.done
        limit = f" (tolerance {self._goal.tolerance:.4g})" if by_energy else ""
        energy_text = f"energy {energy:.4g}{limit} after {self._total_steps} steps"
        said = "" if verdict is None else str(verdict)
        message = "; ".join(filter(None, (reason.value, detail, said, energy_text)))
        return self._decision(kind, reason, message, energy)

    def _decision(
        self, kind: DecisionKind, reason: Reason, message: str, energy: float, plan: Plan | None = None
    ) -> Decision:
        return Decision(
            kind=kind,
            reason=reason,
            message=message,
            energy=energy,
            sub_goal=self._sub_goal,
            sub_goals_reached=self._sub_goals_reached,
            steps_in_sub_goal=self._steps_in_sub_goal,
            total_steps=self._total_steps,
            action=None if plan is None else plan.actions[0].numpy().copy(),
            plan=plan,
            verdict=self._verdict,
        )
