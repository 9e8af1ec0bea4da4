"""The head learns from arms that go to one of two corners, and then straight up."""

import numpy as np
import pytest
import torch

from jepa_planner.core.observation import Observation
from jepa_planner.learning.data.keyframes import next_keyframes
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.sub_goal_training import (
    KeyframeBatch,
    KeyframeSampler,
    SubGoalTraining,
    foresight,
    sub_goal_losses,
    train_sub_goal_head,
)
from jepa_planner.model.sub_goal_head import Hypotheses, SubGoalHead, SubGoalHeadConfig

FRAMES, CORNER = 9, 4
CONFIG = SubGoalHeadConfig(
    latent_tokens=1, latent_channels=2, state_dim=8, hypotheses=2, width=32, depth=1, dropout=0.1
)
SETTINGS = SubGoalTraining(FitSettings(300, learning_rate=5e-3, warm_up=10), batch=64, latent_noise=0.02)


def world(episodes: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents [E, T+1, 1, 2], states [E, T+1, 8] and next keyframes of arms that go left or right, and then up."""
    rng = np.random.default_rng(seed)
    sides = rng.choice([-1.0, 1.0], size=(episodes, 1))
    steps = np.arange(FRAMES)
    states = np.zeros((episodes, FRAMES, 8), np.float32)
    states[..., 0] = 0.1 * sides * np.minimum(steps, CORNER)
    states[..., 2] = 0.1 * np.maximum(steps - CORNER, 0)
    latents = 4.0 * states[:, :, None, [0, 2]]
    return latents, states, np.stack([next_keyframes(episode) for episode in states])


def trained(folder, seed: int = 0, settings: SubGoalTraining = SETTINGS) -> SubGoalHead:
    torch.manual_seed(0)
    head = SubGoalHead(CONFIG)
    torch.seed()  # noise and dropout must not depend on what was drawn before
    sampled = KeyframeSampler(*world(), settings.span, settings.batch, seed)
    train_sub_goal_head(head, sampled, settings, folder, seed)
    return head


def sampler(**changes) -> KeyframeSampler:
    latents, states, keyframes = world()
    return KeyframeSampler(**{"latents": latents, "states": states, "next_keyframes": keyframes, "span": 32,
    "batch": 500,
                            "seed": 0, **changes})  # fmt: skip


def frames_drawn(span: int = 32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which frames are seen, are goals and are next keyframes [B], told by latents that are the frames' numbers."""
    numbers = np.arange(FRAMES, dtype=np.float32)[None, :, None, None].repeat(40, 0)
    drawn = sampler(latents=numbers, span=span).draw(0)
    return drawn.latents.flatten(), drawn.goals.flatten(), drawn.next_latents.flatten()


def test_the_next_keyframe_is_the_corner_or_the_goal_where_that_comes_first():
    now, goal, then = frames_drawn()
    assert ((now < CORNER) & (goal > CORNER)).any() and (now >= CORNER).any() and (goal < CORNER).any()
    assert torch.equal(then, torch.where(now < CORNER, goal.clamp(max=CORNER), goal))


@pytest.mark.parametrize("span", [1, 3, 32])
def test_goals_lie_ahead_and_within_the_span(span):
    now, goal, _ = frames_drawn(span)
    assert now.min() == 0 and goal.max() == FRAMES - 1
    assert (goal - now).min() == 1 and (goal - now).max() == min(span, FRAMES - 1)


def test_batches_follow_from_seed_and_iteration_alone():
    first, same = sampler().draw(3), sampler().draw(3)
    assert all(torch.equal(one, other) for one, other in zip(first, same, strict=True))
    assert not torch.equal(first.latents, sampler().draw(4).latents)
    assert not torch.equal(first.latents, sampler(seed=1).draw(3).latents)


class Guesser(torch.nn.Module):
    """Two guesses at the next latent, off by these errors; states are right; logits as given."""

    def __init__(self, off: tuple[float, float], logits: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.state_std = torch.ones(8)
        self.off = torch.nn.Parameter(torch.tensor(off))
        self._logits = torch.tensor(logits)
        self.keyframes = sampler(batch=8).draw(0)

    def forward(self, now: Observation, goal: Observation) -> Hypotheses:
        right = self.keyframes.next_latents[:, None].expand(-1, 2, -1, -1)
        return Hypotheses(
            right + self.off[:, None, None],
            self.keyframes.next_states[:, None].expand(-1, 2, -1),
            self._logits.expand(len(now.latent), 2),
        )


def losses(guesser: Guesser) -> dict[str, torch.Tensor]:
    return sub_goal_losses(guesser, guesser.keyframes, SETTINGS)


def test_the_hypothesis_that_is_right_learns_and_the_other_hardly_does():
    guesser = Guesser((0.1, 1.0))
    losses(guesser)["winner"].backward()
    assert guesser.off.grad[0] > 1e5 * guesser.off.grad[1].abs()


def test_no_hypothesis_is_left_without_any_pull():
    guesser = Guesser((0.1, 3.0))
    losses(guesser)["total"].backward()
    assert guesser.off.grad[1] == pytest.approx(SETTINGS.relaxation * 3.0, rel=1e-3)


def test_the_logits_are_to_tell_which_hypothesis_is_right():
    right, wrong = (losses(Guesser((0.1, 1.0), logits))["choice"].item() for logits in ((5.0, 0.0), (0.0, 5.0)))
    assert right < 0.01 and wrong == pytest.approx(5.0, abs=0.01)


def test_wrong_arm_states_count_in_units_of_their_spread():
    guesser = Guesser((0.0, 0.0))
    guesser.state_std = torch.full((8,), 0.5)
    off = guesser.keyframes._replace(next_states=guesser.keyframes.next_states + 1.0)
    assert sub_goal_losses(guesser, off, SETTINGS)["all"].item() == pytest.approx(4.0 * SETTINGS.state_weight)


def test_a_trained_head_foresees_both_corners(tmp_path):
    head = trained(tmp_path)
    for side in (-1.6, 1.6):
        now, goal = Observation(torch.zeros(1, 1, 2), state=torch.zeros(1, 8)), torch.tensor([[[side, 1.6]]])
        guesses = head(now, Observation(goal))
        likely = guesses.latents[0, guesses.logits[0].argmax(), 0]
        assert likely.tolist() == pytest.approx([side, 0.0], abs=0.25)
    report = foresight(head, KeyframeSampler(*world(seed=1), span=32, batch=1, seed=0))
    assert report["best"] < 0.1 * report["copy"] and report["most_probable"] < 0.3 * report["copy"]
    assert report["best_tcp_cm"] < 0.4 * report["copy_tcp_cm"]
    assert report["best"] <= report["most_probable"]


def test_a_run_that_is_cut_short_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    short = SubGoalTraining(FitSettings(6, checkpoint_every=3), batch=8)
    whole = trained(tmp_path / "whole", settings=short)
    draw = KeyframeSampler.draw

    def draw_until_the_power_fails(self: KeyframeSampler, iteration: int) -> KeyframeBatch:
        if iteration == 4:
            raise KeyboardInterrupt
        return draw(self, iteration)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(KeyframeSampler, "draw", draw_until_the_power_fails)
        trained(tmp_path / "cut", settings=short)
    resumed = trained(tmp_path / "cut", settings=short)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
