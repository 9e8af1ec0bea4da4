"""Whether what the arm did is what its actions asked for: units, signs, axes, frame and time of every channel.

An action is a change of the state, so the change that followed tells what it meant: r, below, is the correlation of the
two through zero, 1 where each action is carried out and a little less where limits or objects stop some.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from jepa_planner.core.arm_layout import ACTION_CHANNELS, GRIPPER, MEASURED, RPY, STATE_CHANNELS, XYZ
from jepa_planner.core.poses import action_between, rotation_matrix
from jepa_planner.core.state_ranges import most_change
from jepa_planner.learning.data.correlation import CLEAR, FAINT, LEAST_STEPS, NO_MOTION, correlation, explains, tamed
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused, warned
from jepa_planner.learning.data.rotation_checks import check_rotations
from jepa_planner.learning.data.stray_episodes import check_strays

AT_ORIGIN_M = 1e-3
"""No tcp is so near to the origin of its base: poses that begin there are counted from the first one."""
LAGS = (-2, -1, 1, 2, 3)


@dataclass(frozen=True)
class Axes:
    """Three channels of one unit; commanded and carried out [E, T, 3]."""

    names: tuple[str, ...]
    states: tuple[str, ...]
    commanded: np.ndarray
    done: np.ndarray


def check_motion(episodes: Episodes) -> Iterator[Finding]:
    """What is wrong, or may be, with actions beside the states that followed them; coarse faults hide finer ones."""
    done = changes(episodes.states)
    coarse = [*_check_absolute(episodes)] or [*_check_size(episodes)]
    yield from (*coarse, *_check_relative(episodes), *_check_speed(episodes, done))
    if coarse:
        return
    findings: list[Finding] = []
    misread: list[Finding] = []
    for three in (XYZ, RPY):
        axes = Axes(
            ACTION_CHANNELS[three], STATE_CHANNELS[three], episodes.actions[..., three], tamed(done[..., three])
        )
        findings += misread or [*_check_left_out(axes), *_check_axes(axes, episodes.states)]
        misread = [] if findings else [*check_rotations(episodes)]
    yield from findings
    if not findings:  # at another time the gripper seems to go the other way
        yield from _check_gripper(episodes)
        yield from check_strays(episodes, done)


def changes(states: np.ndarray) -> np.ndarray:
    """The actions [E, T, 7] that lead from each state [E, T+1, S] to the next."""
    before, after = (torch.from_numpy(part.astype(np.float64)) for part in (states[:, :-1], states[:, 1:]))
    return action_between(before, after).numpy()


def _check_size(episodes: Episodes) -> Iterator[Finding]:
    for channel, name in enumerate(ACTION_CHANNELS):
        most, largest = most_change(name), float(np.abs(episodes.actions[..., channel]).max())
        if largest > most:
            guess = "absolute values, other units, or scaled to -1..1" if channel < GRIPPER else "in percent, or of 255"
            yield refused(
                f"actions: {name} reaches {largest:.3g} in a step, expected changes of at most {most:.3g}: are they "
                f"{guess}?"
            )


def _check_absolute(episodes: Episodes) -> Iterator[Finding]:
    """Actions that are where to go, not how far."""
    findings = []
    for channel, name in enumerate(ACTION_CHANNELS):
        value, state = episodes.actions[..., channel], episodes.states[..., channel]
        asked = np.clip(state[:, :-1] + value, 0.0, 1.0) - state[:, :-1] if channel == GRIPPER else value
        as_change = np.abs(asked - np.diff(state, axis=1)).mean()
        as_state = min(np.abs(value - state[:, 1:]).mean(), np.abs(value - state[:, :-1]).mean())
        if np.abs(state).mean() > 0.05 and as_state < 0.5 * as_change and np.abs(value).max() > NO_MOTION:
            findings.append(f"{name} is {as_state:.2g} from the state and {as_change:.2g} from its change")
    if findings:
        yield refused(f"actions are absolute, expected changes from one state to the next: {', '.join(findings)}")


def _check_relative(episodes: Episodes) -> Iterator[Finding]:
    """Poses of each episode that are counted from its first."""
    if np.abs(episodes.states[:, 0, XYZ]).max() < AT_ORIGIN_M:
        yield refused(
            "states: x, y and z are 0 at the beginning of each episode, expected poses in the frame of the base: are "
            "they relative to the first one?"
        )


def _check_speed(episodes: Episodes, done: np.ndarray) -> Iterator[Finding]:
    speed = np.linalg.norm(done[..., XYZ], axis=-1) / episodes.time_step_s
    if np.median(speed) > 2.0:
        yield refused(
            f"the arm moves at {np.median(speed):.3g} m/s, expected less than 2: is time_step_s right, "
            f"{episodes.time_step_s:g} s?"
        )
    elif speed.max() > 5.0:
        episode, step = np.unravel_index(speed.argmax(), speed.shape)
        jump = np.linalg.norm(done[episode, step, XYZ])
        count = int((speed > 5.0).sum())
        yield warned(
            f"states jump by up to {jump:.2g} m in a step, {count} times, as in episode {episode} after frame {step}: "
            "does another episode begin there?"
        )


def _check_left_out(axes: Axes) -> Iterator[Finding]:
    """Channels that move although no action ever asks for it."""
    for number, name in enumerate(axes.names):
        moved = np.abs(axes.done[..., number])
        if axes.commanded[..., number].any():
            continue
        state = axes.states[number]
        finding = f"actions: {name} is 0 throughout, while {state} changes by up to {moved.max():.2g} in a step"
        if name.endswith("rad") and moved.max() > 1.0:
            yield warned(f"{finding}: is the state in degrees?")
        elif (moved > 10 * NO_MOTION).mean() > 0.2:
            yield warned(f"{finding}: was it left out?")


def _check_axes(axes: Axes, states: np.ndarray) -> Iterator[Finding]:
    """The first that holds of: as expected, another unit, the tcp's frame, other axes, a turned frame, another time."""
    lively = np.any(np.abs(axes.commanded) > NO_MOTION, axis=-1) | np.any(np.abs(axes.done) > NO_MOTION, axis=-1)
    if lively.sum() < LEAST_STEPS or not axes.commanded.any():
        return
    r = correlation(axes.commanded, axes.done)
    what = f"{', '.join(axes.names)} and the changes of {', '.join(axes.states)}"
    in_tcp = _in_base(axes.commanded, states[:, :-1, RPY])
    as_tcp = correlation(in_tcp, axes.done)
    if r >= CLEAR or explains(r, as_tcp):
        yield from _check_gain(axes if r >= CLEAR else Axes(axes.names, axes.states, in_tcp, axes.done))
    if explains(r, as_tcp):
        yield refused(
            f"actions are in the frame of the tcp, expected that of the base: {what} have r {r:.2f} as they are and "
            f"{as_tcp:.2f} if turned into the base's"
        )
        return
    crossed = list(_crossed(axes))
    yield from crossed
    if crossed:
        return
    turned, angle_deg = _best_turn(axes)
    if angle_deg > 15.0 and explains(r, turned):
        yield refused(
            f"actions are in a frame that is turned by {angle_deg:.0f} degrees: {what} have r {r:.2f} as they are and "
            f"{turned:.2f} if turned back"
        )
        return
    yield from _check_time(axes, r, what)


def _check_gain(axes: Axes) -> Iterator[Finding]:
    for number, name in enumerate(axes.names):
        commanded, done = axes.commanded[..., number], axes.done[..., number]
        if np.abs(done).max() < 5 * NO_MOTION or abs(correlation(commanded, done)) < CLEAR:
            continue
        gain = float((commanded * done).sum() / (commanded * commanded).sum())
        if not 0.1 < abs(gain) < 5.0:
            yield refused(
                f"{axes.states[number]} changes by {abs(gain):.3g} for each 1 of {name}, expected about 1: are states "
                "and actions in the same unit?"
            )
        elif not 0.3 < abs(gain) < 2.5:
            yield warned(
                f"{axes.states[number]} changes by {abs(gain):.2g} for each 1 of {name}, expected about 1: is the arm "
                "at rest in each frame?"
            )


def _crossed(axes: Axes) -> Iterator[Finding]:
    """Axes that move the other way, or another one."""
    count = len(axes.names)
    table = np.array(
        [[correlation(axes.commanded[..., i], axes.done[..., j]) for j in range(count)] for i in range(count)]
    )
    for number, name in enumerate(axes.names):
        if (np.abs(axes.commanded[..., number]) > 5 * NO_MOTION).sum() < LEAST_STEPS:
            continue
        own, best = table[number, number], int(np.abs(table[number]).argmax())
        if own < -FAINT:
            state = axes.states[number]
            yield refused(f"{name} runs against {state}: r {own:.2f}, expected about 1: is its sign wrong?")
        elif best != number and abs(table[number, best]) > CLEAR and own < FAINT:
            yield refused(
                f"{name} moves {axes.states[best]} (r {table[number, best]:.2f}), not {axes.states[number]} "
                f"(r {own:.2f}, expected about 1): are axes swapped?"
            )


def _check_time(axes: Axes, r: float, what: str) -> Iterator[Finding]:
    shifted = {lag: correlation(*_shifted(axes.commanded, axes.done, lag)) for lag in LAGS}
    lag = max(shifted, key=lambda candidate: shifted[candidate])
    if lag < 0 and shifted[lag] > CLEAR and (1 - shifted[lag] ** 2) < 0.6 * (1 - r**2):
        yield refused(
            f"actions come {-lag} step{'s' * (lag < -1)} after what they did: {what} have r {r:.2f}, and "
            f"{shifted[lag]:.2f} with each action moved {-lag} earlier; expected the action before its effect"
        )
    elif lag > 0 and explains(r, shifted[lag]):
        yield warned(
            f"what actions ask for is done {lag} step{'s' * (lag > 1)} later: {what} have r {r:.2f}, and "
            f"{shifted[lag]:.2f} with each action moved {lag} later: is the arm that slow, or the recording shifted?"
        )
    elif r < FAINT and np.abs(axes.commanded).max() > 5 * NO_MOTION:
        little = "nothing" if r < FAINT / 2 else "little"
        yield warned(f"{what} have {little} to do with each other: r {r:.2f}, expected about 1")


def _check_gripper(episodes: Episodes) -> Iterator[Finding]:
    commanded, states = episodes.actions[..., GRIPPER], episodes.states
    before = states[:, :-1, GRIPPER]
    possible = np.clip(before + commanded, 0.0, 1.0) - before
    inverted = False
    for channel in (GRIPPER, MEASURED):
        name, done = STATE_CHANNELS[channel], np.diff(states[..., channel], axis=1)
        moving = (np.abs(commanded) > 0.05) & (np.abs(done) > 0.05)
        r = correlation(commanded[moving], done[moving])
        if moving.sum() >= LEAST_STEPS // 4 and r < -CLEAR:
            inverted = True
            yield refused(
                f"{name} goes the other way than dclosure: r {r:.2f}, expected about 1 (0 is open, 1 closed in "
                "both): is the gripper inverted?"
            )
            continue
        if channel == GRIPPER and not commanded.any() and np.abs(done).max() > 0.2:
            largest = np.abs(done).max()
            yield warned(f"actions: dclosure is 0 throughout, while {name} changes by up to {largest:.2g} in a step")
        closing = possible > 0.3
        if closing.sum() >= LEAST_STEPS // 4 and np.ptp(states[..., channel]) < 0.15:
            yield refused(
                f"{name} stays within {states[..., channel].min():.2g} to {states[..., channel].max():.2g} while "
                f"actions close the gripper {closing.sum()} times, expected 0 (open) to 1 (closed): is it the width of "
                "the fingers in metres?"
            )
    if not inverted:
        yield from _check_blocked(commanded, states)


def _check_blocked(commanded: np.ndarray, states: np.ndarray) -> Iterator[Finding]:
    """An object stops fingers that close, and hardly ever fingers that open."""
    rests = (np.abs(commanded[:, 1:]) < 0.02) & (np.abs(commanded[:, :-1]) < 0.02)
    behind = (states[:, 2:, MEASURED] - states[:, 2:, GRIPPER])[rests]
    opening, closing = int((behind > 0.15).sum()), int((behind < -0.15).sum())
    if opening > LEAST_STEPS and opening > 4 * closing:
        yield warned(
            f"fingers stop short of opening in {opening} frames and of closing in {closing}, as if they held things "
            "from inside: expected 0 open and 1 closed: is closure inverted?"
        )


def _in_base(commanded: np.ndarray, rpy: np.ndarray) -> np.ndarray:
    """Vectors [E, T, 3] of the tcp's frame in that of the base."""
    rotation = rotation_matrix(torch.from_numpy(rpy.astype(np.float64))).numpy()
    return np.einsum("etij,etj->eti", rotation, commanded)


def _best_turn(axes: Axes) -> tuple[float, float]:
    """r after the rotation of commands that fits best, and its angle in degrees (180 where axes are mirrored)."""
    asked, done = axes.commanded.reshape(-1, 3), axes.done.reshape(-1, 3)
    left, _, right = np.linalg.svd(done.T @ asked)
    rotation = left @ right
    cosine = (np.trace(rotation) - 1.0) / 2.0 if np.linalg.det(rotation) > 0 else -1.0
    return correlation(asked @ rotation.T, done), math.degrees(math.acos(float(np.clip(cosine, -1.0, 1.0))))


def _shifted(commanded: np.ndarray, done: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Commands, and what was done `lag` steps later."""
    steps = commanded.shape[1]
    return commanded[:, max(0, -lag) : steps - max(0, lag)], done[:, max(0, lag) : steps - max(0, -lag)]
