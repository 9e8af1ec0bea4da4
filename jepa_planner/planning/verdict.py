"""When the work is done: what a goal picture shows of the objects holds, and the hand has let go and left them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Protocol

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, STATE_LAYOUTS, XYZ, Z
from jepa_planner.core.ranges import Count, NotNegative, Positive, Range, check_ranges

if TYPE_CHECKING:
    from jepa_planner.core.observation import Observation
    from jepa_planner.model.verdict_head import Opinion

CLOSED = 0.5
"""A gripper that is commanded to close further than this is closed."""
BLOCKED = 0.05
"""Fingers that are measured so much less closed than commanded are kept from closing."""
AJAR = 0.15
"""Fingers that are measured further closed than this are not open."""
MEASURED_ALONE = len(STATE_LAYOUTS[0])
"""Channels of arm states that tell where the fingers are, and not what they were told."""
OPENED = 0.15
"""Fingers that took something and are measured less closed than this beyond what a picture shows have let it go."""
LOOSENED = 0.08
"""What fingers held is in the hand until they open by so much, however little they are told to press on it."""
SURE = 0.9
"""A chance from which on things lie as shown even while the hand still brings them nearer."""
NEARER_M = 0.003
PUSHED_M = 0.02
"""A closed, empty hand that is low and moves so far may have pushed something."""

NOTHING, LET_GO, LEAVE = "", "the gripper should let go", "the hand should leave"
"""What may be missing where objects lie as shown, and only the hand is in the way."""
UNREACHABLE = "something in the goal picture is not here, or lies where the hand cannot bring it or take it from"
HOLD, PUT_DOWN = "the gripper should hold something", "what the gripper holds should be put down"


class NonFiniteVerdictError(ValueError):
    """A verdict is NaN or infinite: the head or its input is broken, and nothing it says can be trusted."""


@dataclass(frozen=True, kw_only=True)
class VerdictSettings:
    """How a verdict head tells that the work is done, or cannot be."""

    within_m: Positive = 0.03
    """Objects that are nearer to where the goal picture shows them lie as it shows."""
    certainty: Annotated[float, Range("(0, 1)")] = 0.6
    """Least chance of that for the work to be done."""
    kept_certainty: Annotated[float, Range("(0, 1)")] = 0.5
    """The same where they lay as shown at the observation before, at most `certainty`."""
    holding: Annotated[float, Range("(0, 1]")] = 0.75
    """Fingers that are kept from closing, or of which commands are not known, hold something if they are measured at
    most so far closed.
    """
    low_m: Annotated[float, Range("(-inf, inf)")] = 0.045
    """A hand whose tcp is lower, in the base frame, may touch what lies on the table; negative where the base stands
    above that.
    """
    arm_m: Positive = 0.015
    """Where no object had to be moved the picture is about the arm: the tcp must be so near to where it shows it."""
    clear_m: NotNegative = 0.04
    """So far the hand must be from where it let something go, and from where it pushed something if the picture shows
    it farther.
    """
    back: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """From the fingers into the hand, of any length, in the frame of the tcp: (0, 0, -1) where its z axis leads out of
    the hand, as that of a flange does.
    """
    observations: Count = 1
    """So many in a row must agree."""
    unreachable: Annotated[float, Range("(0, 1]")] | None = None
    """Chance from which on the picture is said to show what is not here, or where no hand can bring it; None: never."""
    arm_weight: NotNegative = 0.0
    """Where the picture is about the arm, how much it counts, beside the energy of latents, that the tcp comes to where
    the picture shows it, per square metre from there and step; 0: latents alone say it.
    """

    def __post_init__(self) -> None:
        check_ranges(self)
        if not 0.0 < math.hypot(*self.back) < math.inf:
            raise ValueError(f"back is {self.back}; it must be finite and not 0")
        if self.kept_certainty > self.certainty:
            raise ValueError(f"kept_certainty is {self.kept_certainty}; it must be at most {self.certainty}, certainty")


@dataclass(frozen=True)
class Verdict:
    """What one observation says about the last goal picture.

    certainty: chance that objects lie as it shows; off_m: how far the farthest is thought to be from there, infinite
    where that is beyond telling; missing: what does not hold yet, in words, empty where all does; objects_hold: at
    least what it shows of the objects does; done: all does, and did as often as asked for; by_work: objects lay
    elsewhere at the first observation; acting: the hand has something in it, has just let it go, or may push it;
    shown_m: where it shows the tcp, as read from it, roughly. unreachable: how sure it is that the picture shows what
    is not here, or where no hand can bring it, as a share of what is asked for: from 1 on an observation says so.
    """

    certainty: float
    off_m: float
    missing: str
    objects_hold: bool = False
    done: bool = False
    by_work: bool = False
    acting: bool = True
    shown_m: tuple[float, float, float] | None = None
    unreachable: float = 0.0

    def ends(self, near: bool) -> bool:
        """Whether work ends with this observation; near: the energy is within the tolerance of the last goal picture.

        An energy may stand for where the arm is: objects hardly weigh in it, nor whether the fingers hold one.
        """
        return self.done or (near and self.objects_hold and self.missing not in (LET_GO, LEAVE, HOLD, PUT_DOWN))

    def __str__(self) -> str:
        if self.unreachable >= 1.0:
            return UNREACHABLE
        said = f"{_off_in_words(self.off_m)}, {100 * self.certainty:.0f} % sure that they lie as shown"
        return f"{said}; {self.missing}" if self.objects_hold and self.missing else said


def _off_in_words(off_m: float) -> str:
    return "objects are " + (f"{100 * off_m:.1f} cm off" if math.isfinite(off_m) else "elsewhere, or not the same ones")


class VerdictHeadLike(Protocol):
    """What compares an observation with a goal; see `model.verdict_head.VerdictHead`."""

    def __call__(self, now: Observation, goal: Observation) -> Opinion: ...


class Judge:
    """Judges observation after observation of one piece of work by its last goal picture, and remembers what the hand
    has done.

    Whether objects had to be moved decides what the picture is about: if they lay elsewhere at the first observation,
    and the hand has held or pushed something since, where the arm stands in it does not matter, save that it must have
    left; if not, the arm must stand as it shows, by place and gripper.
    """

    def __init__(self, head: VerdictHeadLike, edges_m: tuple[float, ...], settings: VerdictSettings) -> None:
        self.settings = settings
        self._head, self._edges_m = head, edges_m
        self.forget()

    def forget(self) -> None:
        """Begins anew, for other work."""
        self._acted_at: Tensor | None = None  # tcp where the hand last held or pushed something
        self._took_at: Tensor | None = None  # tcp where what was held last was taken; None: that was not seen
        self._grip: float | None = None  # how far closed the fingers are on what is in the hand
        self._readings: list[Tensor] = []  # how the arm stands in the goal, read while the hand was open, or at first
        self._low_at: Tensor | None = None  # tcp where the closed, empty hand came down
        self._agreeing = 0
        self._acting = False
        self._lay_as_shown_before = False  # at the observation before
        self._off_m = self._away_m = math.inf  # at the observation before: objects, and the arm where it matters
        self._lay_as_shown: bool | None = None  # at the first observation

    @torch.no_grad()
    def observe(self, now: Observation, goal: Observation) -> Verdict:
        """Judges an observation with the arm's state by what a goal picture shows. Raises NonFiniteVerdictError."""
        settings, state = self.settings, now.arm_state
        opinion = self._head(now[None], goal[None])
        if not (opinion.logits.isfinite().all() and opinion.goal_states.isfinite().all()):
            raise NonFiniteVerdictError("the verdict is NaN or infinite: its head or what it is given is broken")
        chances, shown = opinion.logits[0].softmax(-1), self._shown(opinion.goal_states[0], state)
        certainty = float(chance_within(chances, self._edges_m, settings.within_m))
        off_m = median_off_m(chances, self._edges_m)
        comes_nearer = self._acting and off_m < self._off_m - NEARER_M
        enough = max(settings.certainty, SURE) if comes_nearer else settings.certainty
        objects_hold = certainty >= (settings.kept_certainty if self._lay_as_shown_before else enough)
        self._lay_as_shown_before, self._off_m = objects_hold, off_m
        self._note(state, objects_hold)
        unreachable = 0.0
        # what lay there at the first observation can be there
        if settings.unreachable is not None and not objects_hold and not self._lay_as_shown:
            unreachable = float(chances[-1]) / settings.unreachable
        missing = UNREACHABLE if unreachable >= 1.0 else _off_in_words(off_m)
        if objects_hold:
            missing = self._arm_missing(state, shown)
        self._agreeing = 0 if missing else self._agreeing + 1
        return Verdict(
            certainty,
            off_m,
            missing,
            objects_hold,
            done=self._agreeing >= settings.observations,
            by_work=not self._lay_as_shown,
            acting=self._acting,
            shown_m=tuple(shown[XYZ].tolist()),
            unreachable=unreachable,
        )

    def forget_last_observation(self) -> None:
        """Tells that nothing was done after the last observation, so that the next one is the same again."""
        self._agreeing = max(0, self._agreeing - 1)

    def _arm_missing(self, state: Tensor, shown: Tensor) -> str:
        """What the arm has yet to do where objects lie as shown, in words: its state [S], and the one that is shown."""
        settings = self.settings
        if self._shows_held(shown) and not self._holds_elsewhere(state, shown):
            pushes = state[GRIPPER] > CLOSED and max(state[Z], shown[Z]) <= settings.low_m
            if self.holds(state) or not pushes:  # a hand that pushes is read roughly, and looks like one that holds
                return NOTHING if self.holds(state) else HOLD
        if self._grips(state, shown):
            return LET_GO if self._supported(state) else PUT_DOWN
        if self._lay_as_shown or self._acted_at is None:
            before_m, away_m = self._away_m, float((state[XYZ] - shown[XYZ]).norm())
            self._away_m = away_m
            if away_m > settings.arm_m:
                return f"the hand is {100 * away_m:.1f} cm off"
            alike = bool(state[GRIPPER] > CLOSED) == bool(shown[GRIPPER] > CLOSED)
            if not alike:
                return "the gripper is not as shown"
            return "the hand still comes nearer" if NEARER_M < before_m - away_m < math.inf else NOTHING
        gone_m, shown_gone_m = (float((tcp[XYZ] - self._acted_at).norm()) for tcp in (state, shown))
        must_leave = self._took_at is not None or shown_gone_m > settings.clear_m
        return LEAVE if must_leave and gone_m < settings.clear_m else NOTHING

    def holds(self, state: Tensor) -> bool:
        """Whether the gripper holds something in an arm state [S]: its fingers are less closed than commanded.

        Where commands are not known, fingers that are neither open nor closed hold something.
        """
        measured = state[MEASURED]
        kept = measured > AJAR if len(state) == MEASURED_ALONE else state[GRIPPER] - measured > BLOCKED
        return bool(kept and measured <= self.settings.holding)

    def _shown(self, reading: Tensor, state: Tensor) -> Tensor:
        """How the arm stands in the goal: the mean of what was read of it while the hand was open, as what the hand
        holds is easily taken for what the picture shows it to.
        """
        if not self._readings or state[GRIPPER] <= CLOSED:
            self._readings.append(reading)
        return torch.stack(self._readings).mean(dim=0)

    def _shows_held(self, shown: Tensor) -> bool:
        """As `holds`, of a state that was read from a picture, too roughly to tell how far fingers are blocked, or open
        ones about a thing from closed ones: what was taken is shown held only where it is shown lifted.
        """
        if self._took_at is not None and float(shown[Z] - self._took_at[Z]) <= self.settings.clear_m:
            return False
        if len(shown) == MEASURED_ALONE:
            return self.holds(shown)
        return bool(shown[GRIPPER] > CLOSED and shown[MEASURED] <= self.settings.holding)

    def _holds_elsewhere(self, state: Tensor, shown: Tensor) -> bool:
        """Whether the hand holds what lies as shown, farther from where the hand is shown than both can be read: then
        the picture shows that as let go, however closed its fingers look.
        """
        away_m = float((state[XYZ] - shown[XYZ]).norm())
        return self.holds(state) and away_m > self.settings.within_m + self.settings.clear_m

    def _grips(self, state: Tensor, shown: Tensor) -> bool:
        """Whether something is in the hand, or was and its fingers are not yet as open as shown."""
        return self._grip is not None or (
            self._took_at is not None and float(state[MEASURED] - shown[MEASURED].clamp(0.0, 1.0)) > OPENED
        )

    def _supported(self, state: Tensor) -> bool:
        """Whether the hand is no higher than where it took what it holds: what is higher, or was in the air
        at the first observation, may have nothing under it.
        """
        if self._grip is None:
            return True
        return self._took_at is not None and float(state[Z] - self._took_at[Z]) <= self.settings.clear_m

    def _note(self, state: Tensor, objects_hold: bool) -> None:
        """Remembers how it began, and what the hand has done up to this observation."""
        is_first = self._lay_as_shown is None
        if is_first:
            self._lay_as_shown = objects_hold
        tcp, closed = state[XYZ], bool(state[GRIPPER] > CLOSED)
        grip = self._grip
        held = grip is not None
        if self.holds(state):
            self._grip = float(state[MEASURED])
        elif grip is not None and float(state[MEASURED]) < grip - LOOSENED:
            self._grip = None
        elif held and closed and float(state[MEASURED]) > self.settings.holding:  # what it took has slipped away
            self._grip = self._took_at = None
        comes_down = held and self._acted_at is not None and bool(tcp[Z] < self._acted_at[Z])
        if self._grip is not None or comes_down:  # it may have let go on its way down
            self._acted_at = tcp.clone()
        if self._grip is not None and not held and not (is_first and float(tcp[Z]) > self.settings.low_m):
            self._took_at = tcp.clone()
        if not closed or float(tcp[Z]) > self.settings.low_m:
            self._low_at = None
        elif self._low_at is None:
            self._low_at = tcp.clone()
        elif float((tcp - self._low_at).norm()) > PUSHED_M:
            self._acted_at = tcp.clone()
        pushes = self._low_at is not None and self._acted_at is not None
        self._acting = held or self._grip is not None or pushes


def chance_within(chances: Tensor, edges_m: Sequence[float], within_m: float) -> Tensor:
    """Chance that objects are off by at most `within_m`: chances [.., classes] -> [..]. Inside a class it is even."""
    lower = (0.0, *edges_m)
    shares = [min(max((within_m - a) / (b - a), 0.0), 1.0) for a, b in pairwise(lower)]
    return chances[..., : len(shares)] @ torch.tensor(shares, dtype=chances.dtype)


def median_off_m(chances: Tensor, edges_m: Sequence[float]) -> float:
    """The distance that is as likely too small as too large, of chances [classes]; infinite beyond the last edge."""
    below = chances.cumsum(0)
    number = int((below < 0.5).sum())
    if number >= len(edges_m):
        return math.inf
    first = (0.0, *edges_m)[number]
    before = float(below[number - 1]) if number else 0.0
    return first + (edges_m[number] - first) * (0.5 - before) / (float(below[number]) - before)
