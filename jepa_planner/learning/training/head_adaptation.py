"""Heads of a bundle that go on learning from few episodes, and stay as they were where that makes them no better."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from jepa_planner.learning.training.add_sub_goals import sub_goal_training
from jepa_planner.learning.training.add_verdict import verdict_training
from jepa_planner.learning.training.change import Change
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.keypoint_training import keypoint_foresight, picture_keyframes, train_keypoint_head
from jepa_planner.learning.training.sub_goal_training import foresight, keyframe_sampler, train_sub_goal_head
from jepa_planner.learning.training.verdict_calibration import judged
from jepa_planner.learning.training.verdict_training import (
    PairSampler,
    opinion_of,
    train_verdict_head,
    verdict_losses,
)
from jepa_planner.learning.training.windows import Split
from jepa_planner.model.sub_goal_head import SubGoalHead
from jepa_planner.model.verdict_head import VerdictHead
from jepa_planner.planning.verdict import VerdictSettings

HELD_OUT_BATCH, HELD_OUT_BATCHES = 100, 6
"""Pairs of held-out moments by which heads are compared."""


@dataclass(frozen=True)
class HeadAdaptation:
    """How long heads go on, and how fast."""

    iterations: int = 250
    """Batches to learn from, at least 1."""
    learning_rate: float = 3e-4
    """Where the warm-up ends, more than 0: a fraction of that of training from nothing."""
    batch: int = 64
    """Pairs of moments in each, at least 1."""

    @property
    def fit(self) -> FitSettings:
        """How weights are fitted."""
        return FitSettings(self.iterations, self.learning_rate, weight_decay=0.0, warm_up=max(1, self.iterations // 10))


def adapt_sub_goal_head(
    head: SubGoalHead, data: Demonstrations, parts: Split, settings: HeadAdaptation, folder: Path, seed: int
) -> tuple[SubGoalHead, Change]:
    """The head, or what became of it where that foresees the next moments of held-out episodes better.

    Measured is how far off the tcp of the most probable next moment is, in the median.
    """
    new = copy.deepcopy(head).requires_grad_(True)
    before = _foresight_cm(head, data, parts.held_out)
    sees = head.config.scene is not None
    training = replace(sub_goal_training(sees, settings.iterations), fit=settings.fit, batch=settings.batch)
    if sees:
        train_keypoint_head(new, picture_keyframes(data, parts.train, training, seed), training, folder, seed)
    else:
        train_sub_goal_head(new, keyframe_sampler(data, parts.train, training, seed), training, folder, seed)
    change = Change("next moment foreseen, tcp off by cm", before, _foresight_cm(new, data, parts.held_out))
    return (new if change.better else head).eval(), change


def adapt_verdict_head(
    head: VerdictHead, data: Demonstrations, parts: Split, settings: HeadAdaptation, folder: Path, seed: int
) -> tuple[VerdictHead, Change]:
    """The head, or what became of it where its loss on held-out episodes is less.

    Its temperature and what counts as certain stay: few episodes calibrate nothing. Raises NothingMoved.
    """
    training = verdict_training(head.config.scene is not None, settings.iterations)
    training = replace(training, fit=settings.fit, batch=settings.batch)
    edges_m = head.config.edges_m
    sampler = PairSampler(data, parts.train, edges_m, training, seed)
    sampler.check_moved(edges_m[0])
    held_out = PairSampler(data, parts.held_out, edges_m, replace(training, batch=HELD_OUT_BATCH), seed)
    new = copy.deepcopy(head).requires_grad_(True)
    before = _verdict_loss(head, held_out)
    train_verdict_head(new, sampler, training, folder, seed)
    change = Change("how far things are off, and the arm in goals: loss", before, _verdict_loss(new, held_out))
    return (new if change.better else head).eval(), change


def share_refused(head: VerdictHead, data: Demonstrations, rule: VerdictSettings, seed: int) -> float:
    """Of pairs of moments, which all show what a hand did, the share that is said to be out of reach."""
    if rule.unreachable is None:
        return 0.0
    training = replace(verdict_training(head.config.scene is not None), batch=HELD_OUT_BATCH, strangers=0.0)
    pairs = PairSampler(data, np.arange(len(data.states)), head.config.edges_m, training, seed)
    return float((judged(head, pairs).unreachable(float(head.temperature)) >= rule.unreachable).float().mean())


def _foresight_cm(head: SubGoalHead, data: Demonstrations, held_out: np.ndarray) -> float:
    training = sub_goal_training(head.config.scene is not None)
    if head.config.scene is None:
        errors = foresight(head, keyframe_sampler(data, held_out, training, seed=0))
    else:
        sampler = picture_keyframes(data, held_out, replace(training, batch=HELD_OUT_BATCH), seed=0, across=False)
        errors = keypoint_foresight(head, sampler)
    return errors["most_probable_tcp_cm"]


@torch.inference_mode()
def _verdict_loss(head: VerdictHead, sampler: PairSampler) -> float:
    head.eval()
    batches = [sampler.draw(number) for number in range(HELD_OUT_BATCHES)]
    return float(np.mean([verdict_losses(head, opinion_of(head, b), b, sampler.settings)["total"] for b in batches]))
