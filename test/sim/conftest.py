"""One environment per task and one world for all tests here: a reset leaves nothing behind, which is itself tested."""

from collections.abc import Callable, Iterator

import pytest

from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.world import World


@pytest.fixture(scope="session")
def env_of() -> Iterator[Callable[[str], PandaTaskEnv]]:
    envs: dict[str, PandaTaskEnv] = {}

    def env(task: str) -> PandaTaskEnv:
        if task not in envs:
            envs[task] = PandaTaskEnv(task)
        return envs[task]

    yield env
    for opened in envs.values():
        opened.close()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()
