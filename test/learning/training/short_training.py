"""A whole training run of few iterations on few and small episodes."""

from functools import partial
from pathlib import Path

import pytest
from tiny_training import ENCODER, episodes, tiny_predictor

from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.training import keypoint_training, training_run, verdict_calibration
from jepa_planner.learning.training.collapse import CollapseReport
from jepa_planner.learning.training.predictor_training import PredictorTraining
from jepa_planner.learning.training.probes import probe_latents
from jepa_planner.learning.training.recipe import Recipe

SOME = episodes(count=8, steps=8)
HEALTHY = CollapseReport(12, effective_rank=9.0, std_mean=1.0, std_min=0.8, dead_share=0.0, neighbour_ratio=0.3)
SHORT = Recipe(
    seed=3,
    encoder_iterations=4,
    encoder_batch=6,
    predictor_iterations=4,
    name="tiny",
    command="jepa-planner train tiny",
)


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch):
    """Four iterations leave any encoder all but collapsed, so the verdict is given here; one test takes it as it is."""
    monkeypatch.setattr(training_run, "shipped_encoder", lambda episodes: ENCODER)
    monkeypatch.setattr(training_run, "shipped_predictor", tiny_predictor)
    monkeypatch.setattr(training_run, "PredictorTraining", partial(PredictorTraining, batch=6))
    monkeypatch.setattr(training_run, "probe_latents", partial(probe_latents, iterations=5))
    monkeypatch.setattr(training_run, "measure_collapse", lambda *_: HEALTHY)
    monkeypatch.setattr(keypoint_training, "HELD_OUT_DRAWS", 250)
    monkeypatch.setattr(verdict_calibration, "DRAWS", 250)


def run(folder: Path, some: Episodes = SOME, settings: Recipe = SHORT) -> dict:
    write_shard(folder / "data" / "episodes-000000.h5", some)
    return training_run.run(folder / "data", folder / "bundle", folder / "run", settings)
