"""The benchmark of several predictor nodes: real nodes in processes of their own."""

import subprocess
import sys

import pytest

from jepa_planner.cli.ros.predictor_scaling import PredictorScaling, predictor_scaling_table
from jepa_planner.learning.evaluation.benchmark.timing import Timing

MEASURE = """
import torch
from jepa_planner.cli.ros.predictor_scaling import measure_predictor_scaling, predictor_scaling_table
from jepa_planner.learning.evaluation.benchmark.subjects import REFERENCE_SPACE, Subject, random_predictor
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.planning.energy import LastStepL1
from jepa_planner.planning.solvers.cem import CemSettings

tiny = PredictorConfig(latent_channels=64, grid=(2, 2), width=24, depth=1, heads=2, mlp_hidden=32)
search = CemSettings(horizon=2, samples=8, iterations=1, elites=2)
subject = Subject("tiny", random_predictor(tiny, torch.device("cpu")), search, REFERENCE_SPACE, LastStepL1())
result = measure_predictor_scaling(subject, 12, (1, 2), rounds=2)
assert all(len(timing.seconds) == 2 for timing in result.seconds.values())
print(predictor_scaling_table([result]).text())
"""


def test_batches_are_measured_over_one_and_two_nodes():
    said = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("tiny, 12 candidates, horizon 2") == 2


def test_the_table_says_what_is_reached_of_linear_and_what_is_saved():
    seconds = {1: Timing((0.2, 0.2)), 2: Timing((0.125, 0.125))}
    one, two = predictor_scaling_table([PredictorScaling("small", 100, 2, seconds)]).rows
    assert one[1:] == ("1", "200", "500.0", "1.00", "")
    assert two[1:] == ("2", "125", "800.0", "0.80", "75")
    assert PredictorScaling("small", 100, 2, seconds).of_linear(2) == pytest.approx(0.8)
