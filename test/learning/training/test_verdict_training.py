"""The head learns from a hand that takes something along and puts it down; the latent says where that is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from jepa_planner.core.observation import Observation
from jepa_planner.learning.data.object_tracks import HELD
from jepa_planner.learning.training import verdict_calibration
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.verdict_calibration import (
    Judged,
    judged,
    least_certainty,
    least_unreachable,
    met_temperature,
    verdict_report,
)
from jepa_planner.learning.training.verdict_training import (
    PairSampler,
    VerdictTraining,
    chances_of,
    train_verdict_head,
    verdict_losses,
)
from jepa_planner.model.keypoints import KeypointConfig
from jepa_planner.model.verdict_head import Opinion, VerdictHead, VerdictHeadConfig
from jepa_planner.planning.verdict import VerdictSettings

CONFIG = VerdictHeadConfig(latent_tokens=1, latent_channels=3, state_dim=8, width=48, depth=2, dropout=0.0)
EDGES_M = CONFIG.edges_m
SETTINGS = VerdictTraining(FitSettings(400, learning_rate=5e-3, warm_up=10), batch=64, latent_noise=0.01)
FRAMES, TAKE, LET_GO = 16, 4, 10


def world(episodes: int = 80, seed: int = 0) -> Demonstrations:
    """Latents: where the object is along x and z, and whether the hand is closed."""
    rng = np.random.default_rng(seed)
    states = np.zeros((episodes, FRAMES, 8), np.float32)
    states[..., 2] = 0.15
    states[:, TAKE - 1 : LET_GO + 1, 2] = 0.02
    states[:, TAKE:LET_GO, 6], states[:, TAKE:LET_GO, 7] = 1.0, 0.5
    ways = rng.uniform(0.0, 0.2, (episodes, 1)) * np.clip((np.arange(FRAMES) - TAKE) / 4, 0, 1)
    starts = rng.uniform(-0.1, 0.1, (episodes, 1))
    states[..., 0] = starts + ways
    latents = 5 * np.stack([starts + ways, np.zeros_like(ways), states[..., 6] / 5], axis=-1)[:, :, None]
    following = np.full((episodes, FRAMES), FRAMES)
    actions = np.zeros((episodes, FRAMES - 1, 7), np.float32)
    return Demonstrations(
        latents.astype(np.float32), states, states, following, actions, np.arange(episodes), 1.0, "made up", "ways"
    )


def sampler(seed: int = 0, **changed: float) -> PairSampler:
    return PairSampler(world(seed=seed), np.arange(80), EDGES_M, replace(SETTINGS, **changed), seed=seed)


def test_pairs_come_evenly_from_all_distances_with_what_hardly_moved_twice_as_often():
    off_m = np.concatenate([sampler().draw(number).off_m for number in range(60)])
    counts = np.bincount(np.searchsorted(EDGES_M, off_m), minlength=len(EDGES_M) + 1)[: len(EDGES_M)]
    shares = counts / counts[1:-1].mean()
    assert shares[0] == pytest.approx(2.0, abs=0.3)
    np.testing.assert_allclose(shares[1:-1], 1.0, atol=0.25)


def test_what_is_drawn_belongs_together_and_the_same_iteration_draws_the_same():
    batch, again = (sampler().draw(3) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(batch[:-1], again[:-1], strict=True))
    apart_m = (batch.latents - batch.goals)[:, 0, 0].abs() / 5
    torch.testing.assert_close(apart_m, batch.off_m, atol=1e-5, rtol=0)
    assert torch.equal(batch.hand == HELD, batch.states[:, 6] > 0.5)
    assert (batch.goals[:, 0, 2] == batch.goal_states[:, 6]).all()


def test_pairs_of_two_scenes_show_different_things_and_those_of_one_scene_do_not():
    strange = torch.cat([sampler(strangers=0.5).draw(number).off_m.isinf() for number in range(20)])
    assert strange.float().mean().item() == pytest.approx(0.5, abs=0.1)
    same = PairSampler(
        replace(world(), scenes=np.zeros(80, int)), np.arange(80), EDGES_M, replace(SETTINGS, strangers=0.5), seed=0
    )
    assert not same.draw(0).off_m.isinf().any()


def test_episodes_that_were_told_apart_but_look_alike_show_the_same_things():
    seen = replace(world(), alike=np.repeat([0, 7], 40))
    pairs = PairSampler(seen, np.arange(80), EDGES_M, replace(SETTINGS, strangers=1.0), seed=0)
    assert pairs.draw(0).off_m.isinf().float().mean().item() == pytest.approx(0.5, abs=0.15)


def test_episodes_that_are_told_to_show_one_scene_show_the_same_things_though_they_look_otherwise():
    seen = replace(world(), scenes=np.zeros(80, int), alike=np.arange(80))
    pairs = PairSampler(seen, np.arange(80), EDGES_M, replace(SETTINGS, strangers=1.0), seed=0)
    assert not pairs.draw(0).off_m.isinf().any()


def away(episodes: int = 5, frames: int = 4) -> Demonstrations:
    """Of the scenes of the first ones in `world`: the object far beyond where any goes there."""
    some = world(episodes, seed=9)
    latents, states = some.latents[:, :frames] + 100.0, some.states[:, :frames]
    return replace(some, latents=latents, states=states, scenes=np.arange(episodes))


def test_pairs_with_a_thing_out_of_reach_are_of_one_scene_and_strange_unless_it_lies_there_in_both():
    seen = PairSampler(world(), np.arange(80), EDGES_M, replace(SETTINGS, unreachable=1.0), seed=0, out_of_reach=away())
    batch = [seen.draw(number) for number in range(40)]
    off_m, now, goal = (
        torch.cat(parts)
        for parts in zip(*((x.off_m, x.latents[:, 0, 1] > 50, x.goals[:, 0, 1] > 50) for x in batch), strict=True)
    )
    assert torch.equal(off_m.isinf(), now != goal), "one of the two shows it out of reach"
    assert (off_m[now & goal] == 0.0).all(), "nothing has to be done about what lies there in both"
    of_such_scenes = (now | goal).float().mean().item()
    assert of_such_scenes == pytest.approx(5 / 80, abs=0.03), "others have no such episodes"
    among = (now | goal).sum()
    for part in (now & goal, now & ~goal, goal & ~now):
        assert (part.sum() / among).item() == pytest.approx(1 / 3, abs=0.15)


def test_the_chance_from_which_things_are_called_out_of_reach_refuses_few_that_are_not():
    said, off_m = torch.linspace(0.0, 0.9, 1000), torch.full((1000,), 0.1)
    off_m[900:] = torch.inf
    limit = least_unreachable(said, off_m, refusals=0.01)
    assert ((said >= limit) & off_m.isfinite()).float().mean() <= 0.01 and limit == pytest.approx(0.81, abs=0.02)


def test_a_distance_is_spread_over_the_classes_about_it_by_its_uncertainty():
    batch = (
        sampler()
        .draw(0)
        ._replace(off_m=torch.tensor([0.015, 0.015, torch.inf]), uncertainty_m=torch.tensor([0.0, 0.02, 0.0]))
    )
    sure, uncertain, strange = chances_of(batch, EDGES_M, label_m=0.002)
    assert sure[1] > 0.98 and sure.sum() == pytest.approx(1.0)
    assert 0.15 < uncertain[1] < 0.25 and uncertain[0] > 0.3 and uncertain.sum() == pytest.approx(1.0)
    assert strange.tolist() == [0.0] * (len(EDGES_M) + 1) + [1.0]


def test_the_loss_is_the_cross_entropy_of_the_distance_and_the_error_of_the_arm_in_spreads():
    head = VerdictHead(CONFIG)
    head.set_scaling(torch.zeros(8), torch.full((8,), 0.5))
    batch = sampler().draw(0)
    even = Opinion(torch.zeros(64, CONFIG.classes), batch.goal_states + 0.5)
    losses = verdict_losses(head, even, batch, replace(SETTINGS, state_weight=2.0))
    assert losses["off"].item() == pytest.approx(np.log(CONFIG.classes), rel=1e-5)
    assert losses["arm"].item() == pytest.approx(0.9) and losses["total"] == losses["off"] + 2 * losses["arm"]


def test_a_head_with_keypoints_tells_how_the_arm_of_the_goal_stands_from_how_it_stands_now():
    head = VerdictHead(replace(CONFIG, scene=KeypointConfig(image_size=(8, 8), views=1, channels=4))).eval()
    head.set_scaling(torch.full((8,), 0.3), torch.full((8,), 0.5))
    torch.nn.init.zeros_(head.state_change.weight)
    torch.nn.init.constant_(head.state_change.bias, 0.2)
    images, latents, states = torch.randn(2, 2, 1, 3, 8, 8), torch.randn(2, 2, 1, 3), torch.rand(2, 8)
    now, goal = Observation(latents[0], images[0], states), Observation(latents[1], images[1])
    torch.testing.assert_close(head(now, goal).goal_states, states + 0.1)


def test_a_head_with_keypoints_may_read_how_the_arm_of_the_goal_stands_from_its_latent_alone():
    scene = KeypointConfig(image_size=(8, 8), views=1, channels=4)
    head = VerdictHead(replace(CONFIG, scene=scene, arm_from_latents=True)).eval()
    images, latents = torch.randn(2, 2, 1, 3, 8, 8), torch.randn(2, 2, 1, 3)
    now = Observation(latents[0], images[0], torch.zeros(2, 8))
    one, other = (head(now, Observation(latents[1], shown)) for shown in images)
    torch.testing.assert_close(one.goal_states, other.goal_states)
    assert (one.logits - other.logits).abs().max() > 1e-6, "how far things are off is seen"


def test_a_head_learns_how_far_things_are_off_and_how_the_arm_stands_in_the_goal(tmp_path, monkeypatch):
    monkeypatch.setattr(verdict_calibration, "DRAWS", 2000)
    torch.manual_seed(0)
    head = VerdictHead(CONFIG)
    train_verdict_head(head, sampler(), SETTINGS, tmp_path, seed=0)
    found = judged(head, sampler(seed=1))
    temperature = met_temperature(found, EDGES_M, 0.03)
    rule = VerdictSettings(certainty=least_certainty(found.said(EDGES_M, temperature, 0.03), found.off_m, 0.01))
    report = verdict_report(found, EDGES_M, temperature, rule)
    assert report["called_done"]["within"] > 0.85 and report["called_done"]["beyond"] <= 0.011
    assert report["off_error_cm"] < 1.0 and report["goal_closure_wrong"] < 0.02
    assert set(report["by_hand"]) == {"free", "held", "pushing"} and report["by_hand"]["pushing"]["pairs"] == 0
    assert all(abs(row["said"] - row["met"]) < 0.2 for row in report["said_and_met"] if row["pairs"] > 100)


def test_the_temperature_is_that_with_which_chances_are_met():
    """Of things that are near or far with odds of 3 to 1, a head that is too sure says 19 to 1, another 1.2 to 1."""
    off_m = torch.tensor([0.005] * 75 + [0.2] * 25)
    for odds, cooler in ((19.0, False), (1.2, True)):
        logits = torch.full((100, CONFIG.classes), -50.0)
        logits[:, 0], logits[:, 8] = float(np.log(odds)), 0.0
        found = Judged(logits, off_m, torch.zeros(100), torch.zeros(100), torch.zeros(100))
        temperature = met_temperature(found, EDGES_M, 0.03)
        assert (temperature < 1.0) == cooler
        if not cooler:
            assert found.said(EDGES_M, temperature, 0.03)[0].item() == pytest.approx(0.75, abs=0.01)


def test_as_much_certainty_is_asked_for_as_keeps_false_alarms_rare():
    said, off_m = torch.linspace(0, 0.999, 1000), torch.full((1000,), 0.1)
    assert least_certainty(said, off_m, 0.1) == pytest.approx(0.9, abs=0.011)
    assert least_certainty(said, off_m, 0.9) == 0.5, "what is less than even is not done"
    assert least_certainty(said, off_m * 0, 0.1) == 0.5
