"""A scene of one's own: the smallest adapter there can be goes through collecting and trials."""

import copy

import numpy as np
import pytest

from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.evaluation.policies import NoopPolicy, PixelPolicy, RandomPolicy
from jepa_planner.learning.evaluation.scene_adapter import AdapterError, SceneAdapter, load_adapter
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner_sim.collect import collect
from jepa_planner_sim.collect_settings import CollectSettings

DOT = "test_adapter:Dot"


class Dot(SceneAdapter):
    """A bright dot on a line, to be moved along it."""

    action_max = np.array([0.05, 0, 0, 0, 0, 0, 0], np.float32)
    max_steps = 12

    def __init__(self, image_size_px: int = 32) -> None:
        self._size_px = image_size_px

    def build(self, seed: int) -> int:
        rng = np.random.default_rng(seed)
        self._x_m, self._goal_m = rng.uniform(0.0, 0.3), rng.uniform(0.6, 0.9)
        return 1

    def _picture_of(self, x_m: float) -> np.ndarray:
        picture = np.zeros((1, self._size_px, self._size_px, 3), np.uint8)
        columns = np.arange(self._size_px) / self._size_px
        picture[:] = (255 * np.exp(-(((columns - x_m) / 0.4) ** 2))).astype(np.uint8)[None, None, :, None]
        return picture

    def pictures(self) -> np.ndarray:
        return self._picture_of(self._x_m)

    def state(self) -> np.ndarray:
        return np.array([self._x_m, 0, 0, 0, 0, 0, 0, 0], np.float32)

    def act(self, action: np.ndarray) -> None:
        self._x_m += float(action[0])

    def draw_goal_images(self, kind: str) -> list[np.ndarray]:
        return [self._picture_of(self._goal_m)]

    def distance_m(self) -> float:
        return abs(self._x_m - self._goal_m)

    def solved(self) -> bool:
        return self.distance_m() < 0.05

    def foresee(self, action: np.ndarray) -> np.ndarray:
        return self._picture_of(self._x_m + float(action[0]))


def test_an_adapter_is_a_gymnasium_environment():
    scene = load_adapter(DOT)
    observation, info = scene.reset(seed=3, options={"goal_images": "one"})
    assert scene.observation_space.contains(observation)
    assert set(info) == {"success", "holds", "distance_m", "draws"} and len(scene.goal_images) == 1
    after, reward, terminated, truncated, _ = scene.step(np.array([9.0, 9.0, 0, 0, 0, 0, 0]))
    assert after["state"][0] == pytest.approx(observation["state"][0] + 0.05) and after["state"][1] == 0.0
    assert (reward, terminated, truncated) == (0.0, False, False)
    np.testing.assert_array_equal(scene.reset(seed=3)[0]["images"], observation["images"])
    with pytest.raises(ValueError, match="7 finite numbers"):
        scene.step(np.full(7, np.nan))
    with pytest.raises(ValueError, match="reset options of this scene are goal_images"):
        scene.reset(seed=3, options={"vary": ["light"]})


def test_what_was_collected_in_a_scene_of_ones_own_reads_back(tmp_path):
    settings = CollectSettings(episodes=3, steps=5, seed=7, image_size_px=32, shard_episodes=2, adapter=DOT)
    assert collect(tmp_path, settings, processes=1) == 2
    episodes = read_episodes(tmp_path)
    assert episodes.images.shape == (3, 6, 1, 32, 32, 3) and episodes.views == ("camera",)
    np.testing.assert_allclose(np.diff(episodes.states[..., 0]), episodes.actions[..., 0], atol=1e-6)
    assert np.abs(episodes.actions[..., 0]).max() > 0.01 and not episodes.actions[..., 1:].any()
    assert collect(tmp_path, settings, processes=1) == 0


def test_trials_and_baselines_run_in_it():
    settings = TrialSettings(DOT, 4, goal_images="one")
    assert not any(trial.success for trial in run_trials(NoopPolicy(), settings))
    assert all(trial.steps == 12 for trial in run_trials(RandomPolicy(), settings))
    greedy = list(run_trials(PixelPolicy(), settings))
    assert np.mean([t.distance_m for t in greedy]) <= np.mean([t.start_distance_m for t in greedy])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_such_module:Dot", "No module named"),
        ("test_adapter:Nothing", "has no attribute"),
        (":Dot", "expected MODULE"),
        ("test_adapter:DOT", "is no SceneAdapter"),
    ],
)
def test_a_name_that_leads_to_no_adapter_is_refused(name, says):
    with pytest.raises(AdapterError, match=says):
        load_adapter(name)


def test_an_adapter_goes_its_own_way():
    with pytest.raises(ValueError, match="an adapter draws its own scenes"):
        CollectSettings(adapter=DOT, vary=frozenset({"light"}))
    with pytest.raises(ValueError, match=r"known are .*, and adapters as MODULE:CLASS"):
        TrialSettings("juggle", 1)


def test_a_scene_refuses_to_be_copied_unless_it_says_that_it_can_be():
    scene = load_adapter(DOT)
    scene.reset(seed=3)
    with pytest.raises(TypeError, match="Dot owns a running simulation"):
        copy.deepcopy(scene)

    class Light(Dot):
        __reduce_ex__ = object.__reduce_ex__

    light = Light()
    light.reset(seed=3)
    copied = copy.deepcopy(light)
    copied.step(light.action_max)
    assert copied.distance_m() < light.distance_m()


@pytest.mark.parametrize(
    ("method", "spoil", "says"),
    [
        ("pictures", lambda picture: picture / 255.0, "pictures gave float64 .*; expected uint8 RGB, 0 to 255, "),
        ("pictures", lambda picture: picture[0], r"pictures gave uint8 \[32, 32, 3\]; expected .* views camera"),
        ("pictures", lambda picture: picture[..., :1], r"pictures gave uint8 \[1, 32, 32, 1\]"),
        (
            "_picture_of",
            lambda picture: np.repeat(picture, 2, axis=0),
            r"gave uint8 \[2, 32, 32, 3\]; expected .*\[1, h",
        ),
        ("draw_goal_images", lambda goals: [goals[0].astype(float)], "draw_goal_images gave float64"),
        (
            "draw_goal_images",
            lambda goals: [goals[0][:, ::2]],
            r"gave \[1, 16, 32, 3\], but pictures\(\) are \[1, 32, 32",
        ),
    ],
)
def test_pictures_that_are_not_what_a_scene_promises_are_refused(method, spoil, says, monkeypatch):
    good = getattr(Dot, method)
    monkeypatch.setattr(Dot, method, lambda self, *given: spoil(good(self, *given)))
    with pytest.raises(AdapterError, match=f"Dot.{says}|Dot.*{says}"):
        Dot().reset(seed=3, options={"goal_images": "one"})
