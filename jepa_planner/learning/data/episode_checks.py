"""Episodes are looked at, channel by channel, before anything is learned from them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np

from jepa_planner.core.arm_layout import STATE_CHANNELS
from jepa_planner.core.state_ranges import states_out_of_range
from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.data.finding import Finding, refused, warned
from jepa_planner.learning.data.motion_checks import check_motion
from jepa_planner.learning.data.picture_checks import check_pictures
from jepa_planner.learning.data.stray_episodes import check_repeated

LONGEST_STEP_S, LONG_STEP_S = 10.0, 2.0
"""Above the first time_step_s must be in milliseconds or a rate; above the second it may be one."""


def check_episodes(episodes: Episodes, least_frames: int = 2) -> list[Finding]:
    """All that is wrong with episodes, or may be; raises EpisodeError where they have less than so many frames."""
    check_length(episodes.images.shape[1], least_frames)
    findings = [*_check_time_step(episodes.time_step_s)]
    findings += _check_ranges(episodes.states)
    if not any(finding.certain for finding in findings):  # else the rest would be judged by wrong numbers
        findings += [*check_motion(episodes), *check_pictures(episodes), *check_repeated(episodes)]
    return findings


def heed(findings: Iterable[Finding], trusted: bool = False) -> None:
    """Says on stderr what may be wrong; raises EpisodeError for what surely is, unless the data are to be trusted."""
    findings = list(findings)
    certain = [finding.says for finding in findings if finding.certain and not trusted]
    for finding in findings:
        if finding.says not in certain:
            print(f"warning: {finding.says}", file=sys.stderr)
    if certain:
        *others, last = certain
        raise EpisodeError("\n".join([*others, f"{last}\n(if that is meant, --trust-data trains all the same)"]))


def check_length(frames: int, least: int) -> None:
    """Raises EpisodeError where episodes of so many frames are too short for what is learned from them."""
    if frames < least:
        raise EpisodeError(f"episodes have {frames} frames, at least {least} are needed: record longer ones")


def _check_ranges(states: np.ndarray) -> Iterator[Finding]:
    """Units of states [E, T+1, S]; where few episodes are wrong, which."""
    findings = states_out_of_range(STATE_CHANNELS, states)
    wrong = [number for number, of_one in enumerate(states) if findings and states_out_of_range(STATE_CHANNELS, of_one)]
    few = 0 < len(wrong) < len(states) / 2
    where = f" (in {len(wrong)} of {len(states)} episodes, the first is {wrong[0]})" if few else ""
    yield from (refused(f"states: {line}{where}") for line in findings)


def _check_time_step(time_step_s: float) -> Iterator[Finding]:
    if time_step_s > LONGEST_STEP_S:
        yield refused(
            f"time_step_s is {time_step_s:g}, expected at most {LONGEST_STEP_S:g} s: is it in milliseconds, or a rate?"
        )
    elif time_step_s > LONG_STEP_S:
        yield warned(f"time_step_s is {time_step_s:g} s, expected less than {LONG_STEP_S:g} s: is it a rate?")
