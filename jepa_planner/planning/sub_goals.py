"""Sub-goals that the planner imagines on the way to a goal picture: one is committed to, refined, and left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import GRIPPER, XYZ, YAW
from jepa_planner.core.poses import short_way
from jepa_planner.core.ranges import Count, CountOrZero, NotNegative, check_ranges

if TYPE_CHECKING:
    from jepa_planner.core.observation import Observation
    from jepa_planner.model.sub_goal_head import Hypotheses

ImagineMode = Literal["auto", "always", "never"]
"""When sub-goals are imagined; not on and off, which parameter files take for booleans."""
IMAGINE_MODES: tuple[ImagineMode, ...] = get_args(ImagineMode)
SAME_CLOSURE = 0.3
"""Commands of the gripper that differ by less are the same."""
GRIPPER_M, YAW_M = 0.05, 0.05
"""A gripper that is open instead of closed, and one that is turned by a radian, count as the tcp so far away."""


LIKELY = 0.05
"""Least chance of a guess that is committed to because it is what the goal picture shows."""


@dataclass(frozen=True, kw_only=True)
class SubGoalSettings:
    """How imagined sub-goals are pursued; distances without a unit are mean squared differences of latents."""

    arrived_distance: NotNegative = 0.05
    """At this one from the observation a sub-goal is done; so it is where the arm stands as imagined."""
    arrived_m: NotNegative = 0.01
    """The arm stands as imagined with the tcp within this, and the gripper commanded alike."""
    max_observations: Count = 6
    """After so many looks at a sub-goal another is chosen all the same."""
    back_sub_goals: CountOrZero = 2
    """One that leads back to one of so many moments before is chosen only where all do; 0 allows it."""
    back_distance: NotNegative = 0.2
    """It leads back if it lies so near to where the work stood then, and does no longer."""
    back_m: NotNegative = 0.0
    """Or if the arm stands in it as it did then, the tcp within this and the gripper commanded alike; 0: latents alone
    tell.
    """
    goal_distance: NotNegative = 0.15
    """One that lies at most so far from the goal picture is replaced by that itself, which is exact; 0: never."""
    near_goal: NotNegative = 0.5
    """At this distance of the observation the picture itself is pursued, whatever the guesses."""
    max_goal_images: Count = 3
    """With lists of at most so many goal pictures sub-goals are imagined."""
    sparse_goal_images: CountOrZero = 3
    """Longer lists show each keyframe themselves: of the likely guesses the one nearest to the picture is committed to,
    as it says how the arm stands there.
    """
    steps: Count = 45
    """Actions for all pictures of such a list together, shared evenly."""
    arm_weight: NotNegative = 0.0
    """How much it counts, beside the latents' energy, that the arm comes to stand as imagined, per square metre that
    the tcp is from there (GRIPPER_M and YAW_M bring gripper and yaw to metres); 0: latents alone say it.
    """

    def __post_init__(self) -> None:
        check_ranges(self)

    def steps_per_goal_image(self, goals: int, max_steps: int = 0) -> int:
        """The even share of one of so many goal pictures, where max_steps (0: no limit) bounds them all."""
        return max(1, min(self.steps, max_steps or self.steps) // goals)


def imagines(mode: ImagineMode, settings: SubGoalSettings | None, goals: int) -> bool:
    """Whether sub-goals are imagined for so many goal pictures; settings None: the model has no head for it.

    Raises ValueError where they are wanted and cannot be.
    """
    if mode not in IMAGINE_MODES:
        raise ValueError(f"imagine_sub_goals is {mode!r}; choose one of {', '.join(IMAGINE_MODES)}")
    if mode == "always" and settings is None:
        raise ValueError(
            "imagine_sub_goals is 'always', but the model imagines none: add them to it with `jepa-planner train "
            "--sub-goals-only`, or choose auto or never"
        )
    return mode != "never" and settings is not None and (mode == "always" or goals <= settings.max_goal_images)


@dataclass(frozen=True)
class SubGoal:
    """The imagined sub-goal that is pursued now.

    latent [N, D] and arm state [S] at it; hypothesis: which of the head's guesses it is; number: how many have been
    committed to for this goal picture, this one included; observations: those made on the way to it, the present one
    included; energy: mean squared difference of the present observation to it, and tolerance that at which it is done;
    tcp_away_m: how far the tcp still has to go; is_goal: it is the goal picture itself.
    """

    latent: Tensor
    state: Tensor
    hypothesis: int
    number: int
    observations: int
    energy: float
    tolerance: float
    tcp_away_m: float
    is_goal: bool = False
    arm_weight: float = 0.0

    def arm_energy(self, state: Tensor, actions: Tensor) -> Tensor:
        """How far actions [K, H, A] leave the arm, now in `state` [S], from where it stands in the sub-goal: [K].

        Summed over the steps, as arriving early counts. An arm does what actions say; no model is asked.
        """
        ahead = actions.cumsum(dim=1)
        tcp = tcp_off_m2(state, actions, self.state[XYZ])
        yaw = YAW_M * short_way(state[YAW] + ahead[..., YAW] - self.state[YAW])
        gripper = GRIPPER_M * ((state[GRIPPER] + ahead[..., GRIPPER]).clamp(0.0, 1.0) - self.state[GRIPPER])
        return self.arm_weight * (tcp + yaw.square() + gripper.square()).sum(dim=1)

    def __str__(self) -> str:
        which = "the goal picture itself" if self.is_goal else "imagined"
        return (
            f"sub-goal {self.number} ({which}), observation {self.observations}, energy {self.energy:.4g} (tolerance "
            f"{self.tolerance:.4g}), tcp {100 * self.tcp_away_m:.1f} cm from there"
        )


def tcp_off_m2(state: Tensor, actions: Tensor, place_m: Tensor) -> Tensor:
    """Squared distance of the tcp from a place [3] after each of actions [K, H, A] from arm state [S] on: [K, H]."""
    return (state[XYZ] + actions.cumsum(dim=1)[..., XYZ] - place_m).square().sum(dim=-1)


class SubGoalHeadLike(Protocol):
    """What guesses at next keyframes; see `model.sub_goal_head.SubGoalHead`."""

    def __call__(self, now: Observation, goal: Observation) -> Hypotheses: ...


class SubGoals:
    """Chooses the latent to plan for between an observation and a goal picture.

    The head is asked at every observation. As long as a sub-goal is neither reached nor looked at too often, the guess
    that is nearest to it takes its place: it grows sharper as the sub-goal comes near. Then the most probable guess
    that is not reached yet and does not lead back is committed to; of goal pictures that show each keyframe, see
    `SubGoalSettings.sparse_goal_images`, the likely one that is nearest to the picture.
    """

    def __init__(self, head: SubGoalHeadLike, settings: SubGoalSettings, goals: int = 1) -> None:
        self.settings = settings
        self._head, self._goal_is_next = head, goals > settings.sparse_goal_images
        self.forget()

    def forget(self) -> None:
        """Begins anew, for another goal picture."""
        self._held: tuple[Tensor, Tensor] | None = None  # as imagined, even where the picture stands in for it
        self._before: deque[tuple[Tensor, Tensor]] = deque(
            maxlen=self.settings.back_sub_goals + 1
        )  # observed when one was committed to
        self._number = self._observations = 0

    def forget_last_observation(self) -> None:
        """Tells that nothing was done after the last observation, so that the next one is the same again."""
        self._observations -= 1

    @torch.no_grad()
    def target(self, now: Observation, shown: Observation, elsewhere: bool = False) -> SubGoal:
        """What to plan for now: an observation with the arm's state, and what the goal picture shows.

        elsewhere: things lie far from where it shows them, so that it is neither next nor near, whatever latents say:
        they may weigh the arm alone.
        """
        settings, latent, state, goal = self.settings, now.latent, now.arm_state, shown.latent
        guesses = self._head(now[None], shown[None])
        latents, states = guesses.latents[0], guesses.states[0]
        if (
            self._held is None
            or self._observations >= settings.max_observations
            or self._arrived(latent, state, *self._held)
        ):
            self._number, self._observations = self._number + 1, 0
            self._before.append((latent, state))
            if self._goal_is_next and not elsewhere:
                unlikely = guesses.logits[0].softmax(-1) < LIKELY
                chosen = int(_distance(latents, goal).masked_fill(unlikely, torch.inf).argmin())
            else:
                chosen = self._next(latent, state, latents, states, guesses.logits[0])
        else:
            chosen = int(_distance(latents, self._held[0]).argmin())
        self._observations += 1
        there = states[chosen]
        self._held = latents[chosen], there
        is_near = not elsewhere and float(_distance(latent, goal)) <= settings.near_goal
        is_goal = is_near or float(_distance(latents[chosen], goal)) <= settings.goal_distance
        target = goal if is_goal else latents[chosen]
        return SubGoal(
            latent=target,
            state=there,
            hypothesis=chosen,
            number=self._number,
            observations=self._observations,
            energy=float(_distance(target, latent)),
            tolerance=settings.arrived_distance,
            tcp_away_m=float((there[XYZ] - state[XYZ]).norm()),
            is_goal=is_goal,
            arm_weight=0.0 if is_goal else settings.arm_weight,
        )

    def _next(self, latent: Tensor, state: Tensor, latents: Tensor, states: Tensor, logits: Tensor) -> int:
        """The guess to commit to: among those that lead on, else those not reached, else all."""
        ahead = ~self._arrived(latent, state, latents, states)
        for allowed in (ahead & ~self._leads_back(latent, state, latents, states), ahead):
            if allowed.any():
                return int(logits.masked_fill(~allowed, -torch.inf).argmax())
        return int(logits.argmax())

    def _arrived(self, latent: Tensor, state: Tensor, latents: Tensor, states: Tensor) -> Tensor:
        """Whether observed latent and arm state are those of a sub-goal, or [K] of several."""
        near = _distance(latents, latent) <= self.settings.arrived_distance
        return near | _arm_stands_alike(states, state, self.settings.arrived_m)

    def _leads_back(self, latent: Tensor, state: Tensor, latents: Tensor, states: Tensor) -> Tensor:
        """Which of [K, N, D] and [K, S] lie about where the work stood when a sub-goal was chosen before, and does not
        stand now.
        """
        settings, back = self.settings, torch.zeros(len(latents), dtype=torch.bool)
        for latent_before, state_before in self._before:
            if _distance(latent_before, latent) > settings.back_distance:
                back |= _distance(latents, latent_before) <= settings.back_distance
            if settings.back_m and not _arm_stands_alike(state, state_before, settings.back_m):
                back |= _arm_stands_alike(states, state_before, settings.back_m)
        return back


def _arm_stands_alike(states: Tensor, state: Tensor, within_m: float) -> Tensor:
    """Whether in states [.., S] the tcp is so near to where it is in another [S], and the gripper commanded alike."""
    near = (states[..., XYZ] - state[XYZ]).norm(dim=-1) <= within_m
    return near & ((states[..., GRIPPER] - state[GRIPPER]).abs() <= SAME_CLOSURE)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().mean(dim=(-1, -2))
