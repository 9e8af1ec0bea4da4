"""Cameras that are mixed up in simulated scenes, judged by a shipped model; a minute or two."""

import numpy as np
import pytest
import torch

from jepa_planner.model.bundle import load_latent_statistics, model_folder
from jepa_planner.model.view_mixups import Mixup, MixupCheck, mixups
from jepa_planner.model.world_model import WorldModel
from jepa_planner_sim.envs import PandaTaskEnv

SCENES, EVERY, MOMENTS = 6, 2, 4


def moments(env: PandaTaskEnv, seed: int) -> list[dict[str, np.ndarray]]:
    """What is seen and felt on the expert's way."""
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    for action in env.expert():
        seen.append(env.step(action)[0])
    return seen[::EVERY][:MOMENTS]


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_shipped_model_tells_what_is_mixed_up_and_never_what_is_not():
    folder = model_folder("")
    model, statistics = WorldModel.load(folder), load_latent_statistics(folder)
    views, limit_m = model.contract.image.views, model.contract.out_of_distribution.arm_error_m
    env = PandaTaskEnv("pick_place")
    scenes = [moments(env, 1_000_000 + number) for number in range(SCENES)]
    env.close()

    def told(wrong: Mixup | None) -> int:
        """In how many scenes."""
        return sum(any(judged(scene, wrong)) for scene in scenes)

    def judged(scene: list[dict[str, np.ndarray]], wrong: Mixup | None) -> list[str]:
        check = MixupCheck(views, model.encode, statistics, limit_m)
        said = []
        for moment in scene:
            pictures = moment["images"] if wrong is None else wrong.undo(moment["images"])
            said.append(check.judge(pictures, model.encode(torch.as_tensor(pictures)[None])[0], moment["state"][:3]))
        return said

    assert told(None) == 0
    assert min(told(wrong) for wrong in mixups(views, is_square=True)) >= 0.8 * SCENES
