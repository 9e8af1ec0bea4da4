"""Two pictures from the same camera, the arm's state at the first, and, where known, the action between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES
from jepa_planner.core.aspect import check_same_aspect
from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.core.picture_file import PictureError, read_picture
from jepa_planner.core.poses import action_between
from jepa_planner.learning.data.episodes import read_episodes

if TYPE_CHECKING:
    from jepa_planner.model.contract import Contract
    from jepa_planner.model.world_model import WorldModel


@dataclass(frozen=True)
class PicturePair:
    """image and goal uint8 [V, H, W, 3], one picture per view; state [S] at the image.

    true_action [7]: the action that leads from image to goal, None where it is not known.
    """

    image: np.ndarray
    goal: np.ndarray
    state: np.ndarray
    true_action: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_same_aspect(self.image.shape[2:0:-1], self.goal.shape[2:0:-1])
        if self.true_action is not None and self.true_action.shape != (AXES,):
            raise PictureError(f"a true action of {self.true_action.size} numbers given; expected {AXES}")
        for name, given in (("state", self.state), ("true action", self.true_action)):
            if given is not None and not np.isfinite(given).all():
                raise PictureError(f"the {name} is {given.tolist()}; expected finite numbers")


def pair_from_files(
    images: Sequence[Path],
    goals: Sequence[Path],
    state: Sequence[float],
    goal_state: Sequence[float] | None = None,
    true_action: Sequence[float] | None = None,
) -> PicturePair:
    """A pair from picture files, one per view; goal_state gives the true action as the change of state."""
    if goal_state is not None and true_action is not None:
        raise PictureError("a goal state and a true action were given; one of them tells the other")
    now = np.array(state, np.float32)
    action = None if true_action is None else np.array(true_action, np.float32)
    if goal_state is not None:
        action = change_of_state(now, np.array(goal_state, np.float32))
    now_views, goal_views = (stack_views([read_picture(path) for path in paths]) for paths in (images, goals))
    return PicturePair(now_views, goal_views, now, action)


def pair_from_frames(path: Path, first: int = 0, last: int = -1) -> PicturePair:
    """A pair from two frames of an .npz in the layout that V-JEPA 2-AC publishes its example in.

    observations uint8 [1, T, H, W, 3], or [1, T, V, H, W, 3] with several views; states [1, T, S].
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            observations, states = arrays["observations"], arrays["states"]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise PictureError(f"{path} has no arrays 'observations' and 'states' that can be read: {error}") from error
    frames = observations.shape[1] if observations.ndim in (5, 6) else 0
    if observations.dtype != np.uint8 or observations.shape[-1] != 3 or states.shape[:-1] != (1, frames):
        raise PictureError(
            f"{path}: observations {observations.dtype} {list(observations.shape)} and states {list(states.shape)}; "
            "expected uint8 [1, T, H, W, 3] or [1, T, views, H, W, 3], and [1, T, channels]"
        )
    for number in (first, last):
        if not -frames <= number < frames:
            raise PictureError(f"{path}: frame {number} was asked for; it has {frames}, counted from 0")
    image, goal = (observations[0, number] for number in (first, last))
    if observations.ndim == 5:
        image, goal = image[None], goal[None]
    now, then = (states[0, number].astype(np.float32) for number in (first, last))
    return PicturePair(image, goal, now, change_of_state(now, then))


def pair_from_episodes(
    folder: Path, contract: Contract, episode: int = 0, first: int = 0, last: int = 1
) -> PicturePair:
    """A pair from two frames of an episode in a folder, counted from 0, in the views and channels of a model.

    Raises EpisodeError for a folder without episodes, ContractError for views that are not the model's, PictureError
    for a frame that is not there.
    """
    episodes = read_episodes(folder)
    count = len(episodes)
    if not 0 <= episode < count:
        raise PictureError(f"{folder}: episode {episode} was asked for; it has {count}, counted from 0")
    frames = int(episodes.lengths[episode]) + 1
    for number in (first, last):
        if not 0 <= number < frames:
            raise PictureError(f"{folder}: frame {number} was asked for; episode {episode} has {frames}, from 0 on")
    views = list(contract.pick_views(episodes.views))
    now, then = (episodes.states[episode, number] for number in (first, last))
    image, goal = (np.asarray(episodes.images[episode, number])[views] for number in (first, last))
    return PicturePair(image, goal, now[contract.state.columns], change_of_state(now, then))


def observed_pair(model: WorldModel, pair: PicturePair) -> tuple[Observation, Observation]:
    """What a controller is given of the pair: the present, with the arm's state, and the goal.

    Raises ContractError where pictures or state do not fit the model.
    """
    model.contract.check_state_values(pair.state)
    now, goal = (model.observe(picture[None])[0] for picture in (pair.image, pair.goal))
    return now.with_state(pair.state), goal


def context_and_goal(model: WorldModel, pair: PicturePair) -> tuple[Context, Tensor]:
    """What a rollout is given of the pair: a context of one observation, and the goal's latent [N, D].

    Raises ContractError as `observed_pair`.
    """
    now, goal = observed_pair(model, pair)
    return Context(now.latent[None], now.arm_state[None], torch.zeros(0, AXES)), goal.latent


def change_of_state(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The action [7] between two states [S]; raises PictureError where they are too short or differ in length."""
    if start.shape != end.shape or len(start) < AXES:
        raise PictureError(f"states of {len(start)} and {len(end)} numbers given; expected at least {AXES} in both")
    return action_between(torch.from_numpy(start), torch.from_numpy(end)).numpy()


def stack_views(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The pictures of one moment as [V, H, W, 3]; raises PictureError where their sizes differ."""
    if len(sizes := {picture.shape for picture in pictures}) > 1:
        raise PictureError(f"the views have different sizes: {sorted(size[1::-1] for size in sizes)} (width, height)")
    return np.stack(pictures)
