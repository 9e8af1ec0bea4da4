"""Whether observations come nearer to a goal, so that work which nothing advances can end."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jepa_planner.core.ranges import Count, CountOrZero, NotNegative, Positive, Share, check_ranges

if TYPE_CHECKING:
    from jepa_planner.planning.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class ProgressSettings:
    """When work ends that nothing advances.

    Progress is a goal image reached; objects that are nearer than ever, while the hand acts on one; one held for the
    first time; and, where objects lie as shown or nothing is known of them, the least energy so far.
    """

    patience: CountOrZero = 14
    """So many observations in a row without progress end the work; 0: none do."""
    energy_gain: Share = 0.1
    """By so much of the least energy so far another one is less."""
    off_gain_m: NotNegative = 0.015
    """By so much objects are nearer than ever."""
    settled_energy: Positive | None = None
    """For a model without a verdict: its last goal image counts as reached at this energy, once it has settled, and the
    plan found is imagined to bring no progress; None: never.
    """
    settled_observations: Count = 3
    """It has settled after so many observations without progress."""
    unreachable_observations: CountOrZero = 4
    """Where over so many observations it is said, on the average, that what the last goal image shows is out of reach,
    or not here, the work ends too; 0: it does not.
    """

    def __post_init__(self) -> None:
        check_ranges(self)


class Progress:
    """Counts the observations since the last progress."""

    def __init__(self, settings: ProgressSettings) -> None:
        self.settings = settings
        self.observations = -1  # the first observation is none yet
        self._off_m, self._held = math.inf, False
        self._unreachable: deque[float] = deque(maxlen=settings.unreachable_observations)
        self.next_goal()

    def next_goal(self) -> None:
        """Another goal image is pursued: energies are to that one."""
        self._energy = math.inf

    def reached_goal(self) -> None:
        """A goal image on the way was reached."""
        self.observations = 0

    def observe(self, energy: float, verdict: Verdict | None = None, holds: bool = False) -> None:
        """One more observation: its energy to the pursued goal image, and what was said of the last one."""
        settings, off_m = self.settings, math.inf if verdict is None else verdict.off_m
        acts = verdict is not None and verdict.acting  # objects that no hand touches come no nearer: a reading does
        objects_nearer = acts and off_m < self._off_m - settings.off_gain_m
        fell = (verdict is None or verdict.objects_hold) and self._energy_fell(energy)
        takes = holds and not self._held and off_m < math.inf  # of what the goal image does not show, nothing helps
        self.observations = 0 if fell or objects_nearer or takes else self.observations + 1
        self._unreachable.append(0.0 if verdict is None else verdict.unreachable)
        self._off_m = off_m if objects_nearer else self._off_m
        self._held |= takes

    def _energy_fell(self, energy: float) -> bool:
        """Whether it is less than all before; the first one to a goal image is only what others are compared with."""
        first, fell = math.isinf(self._energy), energy < (1.0 - self.settings.energy_gain) * self._energy
        if fell:
            self._energy = energy
        return fell and not first

    def forget_last_observation(self) -> None:
        """Tells that nothing was done after the last observation, so that the next one is the same again."""
        self.observations = max(-1, self.observations - 1)
        if self._unreachable:
            self._unreachable.pop()

    @property
    def stalled(self) -> bool:
        """Whether patience is at its end, or nothing that is shown can be done."""
        observations, said = self.settings.unreachable_observations, self._unreachable
        out_of_reach = 0 < observations == len(said) and sum(said) >= observations
        return out_of_reach or 0 < self.settings.patience <= self.observations

    def in_words(self) -> str:
        """Since when there has been no progress; empty where that is not why it stalls."""
        return (
            f"no progress in {self.observations} observations"
            if 0 < self.settings.patience <= self.observations
            else ""
        )

    def settled(self, energy: float) -> bool:
        """Whether an energy to the last goal image is about as low as it gets, and has not fallen for a while."""
        limit = self.settings.settled_energy
        return limit is not None and energy <= limit and self.observations >= self.settings.settled_observations
