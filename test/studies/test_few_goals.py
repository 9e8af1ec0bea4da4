"""Other ways to do with one goal picture, on a line of latents where what is right is plain."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import imagining, tiny_head, tiny_model, tiny_planner

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.core.observation import Observation
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import add_sub_goal_head, save_bundle
from jepa_planner.model.contract_sections import SubGoalSpec, TrainingSpec
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner_sim.collect import collect
from jepa_planner_sim.collect_settings import CollectSettings
from studies.__main__ import main as study
from studies.few_goals import flat_policy
from studies.few_goals.flat_policy import FlatPolicy
from studies.few_goals.retrieval import RetrievedKeyframes
from studies.few_goals.ways import WAYS, ways
from studies.sweep.sweep import Sweep


def walks(episodes: int = 4, steps: int = 10, moment: int = 4) -> Demonstrations:
    """Each goes up or down by one a step, from an offset of its own; one keyframe on the way."""
    frames = np.arange(steps + 1, dtype=np.float32)
    signs = np.where(np.arange(episodes) % 2, -1.0, 1.0).astype(np.float32)[:, None]
    places = signs * frames + 0.01 * np.arange(episodes, dtype=np.float32)[:, None]
    latents = np.repeat(places[..., None, None], 12, axis=-1).reshape(episodes, steps + 1, 4, 3)
    states = np.zeros((episodes, steps + 1, 8), np.float32)
    states[..., 0] = 0.01 * places
    following = np.broadcast_to(np.where(frames < moment, moment, steps + 1).astype(int), (episodes, steps + 1))
    actions = np.zeros((episodes, steps, 7), np.float32)
    actions[..., 0] = 0.03 * signs
    return Demonstrations(latents, states, states, following, actions, np.arange(episodes), 1.0, "made up", "walks")


def at(place: float) -> torch.Tensor:
    return torch.full((1, 4, 3), place)


def arm_at(place: float) -> torch.Tensor:
    return torch.tensor([[0.01 * place, *[0.0] * 7]])


def seen(x: float) -> Observation:
    return Observation(at(x), state=arm_at(x))


@pytest.mark.parametrize(
    ("now", "goal", "then"), [(1.0, 8.0, 4.0), (-1.0, -8.0, -4.0), (1.0, 3.0, 3.0), (5.0, 9.0, 9.0)]
)
def test_the_keyframe_that_followed_on_the_way_to_such_a_goal_is_retrieved(now, goal, then):
    found = RetrievedKeyframes(walks(), hypotheses=2)(seen(now), Observation(at(goal)))
    assert found.latents.shape == (1, 2, 4, 3) and found.states.shape == (1, 2, 8)
    best = found.logits[0].argmax()
    assert found.latents[0, best].mean().item() == pytest.approx(then, abs=0.1)
    assert found.states[0, best, 0].item() == pytest.approx(0.01 * then, abs=1e-3)


def test_no_more_guesses_are_retrieved_than_there_are_demonstrations():
    assert RetrievedKeyframes(walks(episodes=3), hypotheses=8)(seen(0), Observation(at(5))).logits.shape == (1, 3)


@pytest.fixture
def small_batches(monkeypatch) -> None:
    """What is learned here is plain from a few windows at a time."""
    monkeypatch.setattr(flat_policy, "BATCH", 64)


def test_a_flat_policy_learns_which_way_the_goal_lies(tmp_path, small_batches):
    policy = FlatPolicy(tiny_model(), tiny_planner(), walks(episodes=20))
    policy.train(walks(episodes=20), 60, tmp_path)
    for direction in (1.0, -1.0):
        action = policy.action(at(2.0 * direction), arm_at(2.0 * direction)[0], at(9.0 * direction))
        assert action[0] == pytest.approx(0.03 * direction, abs=0.015)
        assert np.abs(action[1:6]).max() < 0.01


def closing(demonstrations: Demonstrations) -> Demonstrations:
    """The gripper closes at place 3, 4 or 5 up or down the line, whichever the episode."""
    states, actions = demonstrations.states.copy(), demonstrations.actions.copy()
    for episode in range(len(states)):
        step = 3 + episode % 3
        actions[episode, step, GRIPPER] = 1.0
        states[episode, step + 1 :, GRIPPER:] = 1.0
    return replace(demonstrations, states=states, actions=actions)


def test_a_flat_policy_closes_the_gripper_although_nobody_knows_at_which_step(tmp_path, small_batches):
    demonstrations = closing(walks(episodes=24))
    model = tiny_model()
    bounds = replace(model.contract.action, max_abs=(0.06, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0))
    model.contract = replace(model.contract, action=bounds)
    policy = FlatPolicy(model, tiny_planner(), demonstrations)
    policy.train(demonstrations, 120, tmp_path)
    closed, place = 0.0, 0.0
    while place < 9.0 and closed < 0.5:
        arm = arm_at(place)
        arm[0, GRIPPER:] = closed
        action = policy.action(at(place), arm[0], at(10.0))
        assert action[GRIPPER] in (0.0, 1.0), "wholly or not at all"
        closed, place = closed + float(action[GRIPPER]), place + 1.0
    assert closed == 1.0 and 3.0 <= place <= 7.0


def test_a_flat_policy_is_given_one_picture(tmp_path):
    with pytest.raises(ValueError, match="2 goal pictures given"):
        FlatPolicy(tiny_model(), tiny_planner(), walks()).start(None, [np.zeros((2, 64, 64, 3), np.uint8)] * 2, 0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    model, folder = imagining(tiny_model()), tmp_path_factory.mktemp("few") / "bundle"
    save_bundle(folder, model.encoder, model.predictor, tiny_model().contract)
    spec = SubGoalSpec(head=tiny_head().config, training=TrainingSpec(data="none", command="none"))
    tiny_planner().save(folder)
    add_sub_goal_head(folder, folder, tiny_head(), spec)
    tiny_planner(sub_goals=SubGoalSettings()).save(folder)
    return folder


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("few") / "shown"
    collect(folder, CollectSettings(episodes=3, steps=6, behaviour="demonstration", image_size_px=64), 1)
    return folder


def test_every_way_is_tried_in_the_same_scenes_and_kept(tmp_path, bundle, shown, capsys):
    names = ["imagined", "retrieved", "search alone", "flat policy"]
    typed = ["--model", str(bundle), "--demonstrations", str(shown), "--run", str(tmp_path / "run")]
    few = ["--iterations", "2", "--tasks", "push", "--scenes", "1", "--out", str(tmp_path / "out")]
    assert study(["few-goals", *typed, *few, "--ways", *names]) == 0
    kept = [json.loads((tmp_path / "out" / f"{name.replace(' ', '_')}-standard-push-one.json").read_text())
            for name in names]  # fmt: skip
    assert {each["trials"][0]["seed"] for each in kept} == {1_000_000}
    written = (tmp_path / "out" / "table.md").read_text()
    assert [line.split(" | ")[0] for line in written.splitlines()[2:]] == [f"| {WAYS[name]}" for name in names]
    assert study(["few-goals", *typed, *few, "--ways", *names]) == 0
    assert capsys.readouterr().out.count("made before, read from there") == 4


def test_what_is_kept_of_other_demonstrations_or_iterations_is_refused(tmp_path, bundle, shown, pretended):
    tried, copy = pretended(lambda *_: True), tmp_path / "shown"
    shutil.copytree(shown, copy)

    def try_way(name: str, iterations: int = 2) -> None:
        policy = ways(bundle, [copy], tmp_path / "run", iterations)[name]
        list(Sweep({name: policy}, ("push",), 1, goal_images=("one",)).run(tmp_path / "out"))

    for name in ("imagined", "retrieved", "flat policy"):
        try_way(name)
    for name in ("imagined", "retrieved"):
        try_way(name, iterations=3)  # they are not trained
    with pytest.raises(ValueError, match=r"flat_policy-standard-push-one\.json was made with another iterations"):
        try_way("flat policy", iterations=3)
    with (copy / "episodes-000000.h5").open("ab") as shard:
        shard.write(b"more")
    try_way("imagined")  # it does without them
    with pytest.raises(ValueError, match="made with another demonstrations"):
        try_way("retrieved")
    assert len(tried) == 3


@pytest.mark.parametrize(("way", "says"), [("guessed", "--ways: 'guessed' given; choose among imagined, retrieved")])
def test_a_way_that_there_is_not_is_refused(way, says, shown, capsys):
    assert study(["few-goals", "--demonstrations", str(shown), "--ways", way]) != 0
    assert says in capsys.readouterr().err


def test_a_flat_policy_goes_on_with_its_own_training_alone(tmp_path):
    policy = FlatPolicy(tiny_model(), tiny_planner(), walks())
    policy.train(walks(), 2, tmp_path)
    policy.train(walks(), 2, tmp_path)
    with pytest.raises(RunFolderError, match="with other iterations"):
        policy.train(walks(), 3, tmp_path)
    with pytest.raises(RunFolderError, match="with other demonstrations"):
        policy.train(replace(walks(), content="others"), 2, tmp_path)
