"""Demonstrations and a bundle in, a bundle that imagines sub-goals out; encoder and predictor stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, heed
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.data.shown_work import not_failed
from jepa_planner.learning.training.action_bounds import as_far
from jepa_planner.learning.training.demonstrations import Demonstrations, encoded_demonstrations
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.keypoint_training import (
    FORESIGHT_BATCH,
    keypoint_foresight,
    picture_keyframes,
    train_keypoint_head,
)
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.recipe import TUNED_FOR
from jepa_planner.learning.training.run_folder import check_same_run, write_whole
from jepa_planner.learning.training.sub_goal_training import (
    SubGoalTraining,
    foresight,
    keyframe_sampler,
    train_sub_goal_head,
)
from jepa_planner.learning.training.windows import Split, split, state_scaling
from jepa_planner.model.bundle import add_sub_goal_head, load_contract, load_sub_goal_head
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import SubGoalSpec, TrainingSpec
from jepa_planner.model.keypoints import KeypointConfig
from jepa_planner.model.sub_goal_head import SubGoalHead, SubGoalHeadConfig
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.sub_goals import SubGoalSettings

H = TypeVar("H")
LEAST_SPREAD = 0.02
"""Of a state channel (m, rad, closure), for a head whose arm states count: a hand that stays upright rolls by a few
milliradians and at times by thirty times its spread, which nothing foresees and would outweigh where the arm is.
"""
ITERATIONS, KEYPOINT_ITERATIONS = 6000, 2000
KEYPOINT_PLANNING = SubGoalSettings(
    arrived_distance=0.002, back_distance=0.02, back_m=0.04, goal_distance=0.0, near_goal=0.3, arm_weight=200.0
)
"""How is pursued what a head with keypoints imagines: it knows well where the arm is to stand, so that counts."""


@dataclass(frozen=True)
class SubGoalRun:
    """How long to train, from which seed, and on which demonstrations."""

    seed: int = 0
    """Seed of all random numbers."""
    iterations: int | None = None
    """Batches to learn from, at least 1; None: as many as such a head needs."""
    keypoints: bool = False
    """Whether the head looks at the pictures themselves."""
    keypoints_of: Path | None = None
    """A bundle whose head has keypoints, with which it begins; None: with random ones."""
    episodes: int | None = None
    """Only the first so many are learned from, at least 1; None: all."""
    command: str = ""
    """What was typed, as it is noted in the bundle."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    checked: bool = False
    """Whether that was said before, so that it need not be again."""


@torch.random.fork_rng(devices=[])
def add_sub_goals(
    demonstrations: Sequence[Path], init: Path, bundle: Path, run_folder: Path, settings: SubGoalRun
) -> dict[str, Any]:
    """Trains a head on the episodes of folders and writes the bundle `init` with it to `bundle`, which may be `init`.

    Resumes from what `run_folder` holds. Returns the report: how well the head, as it is on disk, foresees the next
    keyframes of held-out episodes. Raises EpisodeError, ContractError, BundleError, RunFolderError or ValueError for
    what does not fit.
    """
    run = Run("sub_goals", to_plain(settings))
    model = WorldModel.load(init)
    contract = model.contract
    episodes = not_failed(read_episodes(demonstrations, settings.episodes))
    if not settings.checked:
        heed(check_episodes(episodes), settings.trust_data)
    check_frames(episodes, contract)
    data = encoded_demonstrations(episodes, model, run_folder, keep_images=settings.keypoints)
    training = sub_goal_training(settings.keypoints, settings.iterations)
    about = {"seed": settings.seed, "iterations": training.fit.iterations, "encoder": contract.files[ENCODER_FILE]}
    about |= {"data": data.content} | ({"keypoints": True} if settings.keypoints else {})
    about |= {"keypoints_of": str(settings.keypoints_of)} if settings.keypoints_of is not None else {}
    check_same_run(run_folder / "sub_goals.json", run_folder / "sub_goals.ckpt", about)
    parts = split(data.states)
    torch.manual_seed(settings.seed)
    head = _head(contract, data, parts, settings.keypoints)
    if settings.keypoints:
        if settings.keypoints_of is not None:
            _copy_keypoints(head, settings.keypoints_of)
        sampler = picture_keyframes(data, parts.train, training, settings.seed)
        train_keypoint_head(head, sampler, training, run_folder, settings.seed)
    else:
        sampled = keyframe_sampler(data, parts.train, training, settings.seed)
        train_sub_goal_head(head, sampled, training, run_folder, settings.seed)
    trained = TrainingSpec(
        data=data.in_words,
        command=settings.command,
        seeds=(settings.seed,),
        steps={"sub_goals": training.fit.iterations},
    )
    planner_settings = PlannerSettings.load(init, contract)
    sub_goal_settings = planner_settings.sub_goals
    had_keypoints = contract.sub_goals is not None and contract.sub_goals.head.scene is not None
    if sub_goal_settings is None or settings.keypoints != had_keypoints:
        steps = as_far(SubGoalSettings.steps, TUNED_FOR, contract.action.max_abs)
        sub_goal_settings = replace(KEYPOINT_PLANNING if settings.keypoints else SubGoalSettings(), steps=steps)
    with whole_bundle(bundle) as new:
        add_sub_goal_head(init, new, head, SubGoalSpec(head=head.config, training=trained))
        changed = replace(planner_settings, sub_goals=sub_goal_settings).save(new)
        run.note(new, {"demonstrations": episodes}, init)
    report = {
        "demonstrations": len(data.states), "held_out": len(parts.held_out),
        "keyframes_per_episode": round(data.keyframes_per_episode, 1),
        "foresight": _foresight(bundle, data, parts.held_out), "planner": changed,
    }  # fmt: skip
    write_whole(run_folder / "report.json", report)
    return report


def _head(contract: Contract, data: Demonstrations, parts: Split, keypoints: bool) -> SubGoalHead:
    encoder, scene = contract.encoder, None
    if keypoints:
        scene = KeypointConfig(image_size=encoder.image_size, views=encoder.views)
    config = SubGoalHeadConfig(
        latent_tokens=contract.latent.tokens, latent_channels=contract.latent.channels,
        state_dim=len(contract.state.channels), scene=scene,
    )  # fmt: skip
    head = SubGoalHead(config)
    mean, spread = state_scaling(data.states[parts.train])
    head.set_scaling(mean, spread.clamp(min=LEAST_SPREAD) if keypoints else spread)
    return head


def _copy_keypoints(head: SubGoalHead, bundle: Path) -> None:
    """Begin with what another bundle's head has learned to see and, with as many views, to say where the hand acts."""
    other = keypoints_of(bundle, head.config.scene)
    head.scene.begin_with(other.scene)
    if head.acts[0].weight.shape == other.acts[0].weight.shape:
        head.acts.load_state_dict(other.acts.state_dict())


def present(head: H | None, bundle: Path) -> H:
    """The head that was loaded from a bundle; raises ValueError where the bundle has none."""
    if head is None:
        raise ValueError(f"{bundle} has no head of this kind")
    return head


def has_keypoints(bundle: Path) -> bool:
    """Whether the head of a bundle has keypoints with which another may begin."""
    sub_goals = load_contract(bundle).sub_goals
    return sub_goals is not None and sub_goals.head.scene is not None


def keypoints_of(bundle: Path, scene: KeypointConfig | None) -> SubGoalHead:
    """The head of a bundle, whose keypoints are of the same sizes; raises ValueError where it has none."""
    head = load_sub_goal_head(bundle)
    if scene is None or head is None or head.config.scene is None or not head.config.scene.is_alike(scene):
        raise ValueError(f"{bundle} has no head with keypoints of the same sizes: leave out --keypoints-of")
    return head


def _foresight(bundle: Path, data: Demonstrations, held_out: np.ndarray) -> dict[str, float]:
    """How well the head of a bundle, as it is on disk, foresees the next keyframes of held-out episodes."""
    head = present(load_sub_goal_head(bundle), bundle)
    if head.config.scene is None:
        return foresight(head, keyframe_sampler(data, held_out, sub_goal_training(keypoints=False), seed=0))
    training = replace(sub_goal_training(keypoints=True), batch=FORESIGHT_BATCH)
    return keypoint_foresight(head, picture_keyframes(data, held_out, training, seed=0, across=False))


def sub_goal_training(keypoints: bool, iterations: int | None = None) -> SubGoalTraining:
    """Settings of a head that reads latents alone or has keypoints, for so many iterations."""
    iterations = iterations or (KEYPOINT_ITERATIONS if keypoints else ITERATIONS)
    fit = FitSettings(iterations, learning_rate=1.5e-3, weight_decay=0.05, warm_up=max(1, iterations // 20))
    return (
        SubGoalTraining(fit, batch=128, span=44, temperature=0.2, state_weight=6.0, keyframe_share=0.5)
        if keypoints
        else SubGoalTraining(fit)
    )


def in_words(report: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    foresight: dict[str, float] = report["foresight"]
    lines = [
        f"{report['demonstrations']} demonstrations with {report['keyframes_per_episode']} keyframes each; the next "
        f"moment as foreseen in {report['held_out']} held-out ones:",
        f"{'':24s} {'latent error':>12s}   tcp off by",
    ]
    rows = ("best", "best hypothesis"), ("most_probable", "most probable hypothesis"), ("copy", "copying the present")
    lines += [f"{words:24s} {foresight[key]:12.4f}   {foresight[f'{key}_tcp_cm']:7.1f} cm" for key, words in rows]
    return "\n".join([*lines, *(f"planner.yaml: {line}" for line in report["planner"])])
