import typing

import pytest
from small_models import PREDICTOR_CONFIGS

from jepa_planner.learning.training.predictor_sizes import PREDICTOR_KINDS
from jepa_planner.model.onnx.graphs import STEP_GRAPHS
from jepa_planner.model.onnx.runtime import PREDICTORS
from jepa_planner.model.predictors import KINDS, AnyPredictorConfig, make_predictor
from jepa_planner.model.rollout.networks import EIGHT_BITS, NETWORKS
from jepa_planner.model.rollout.plain import PLAIN


def test_every_kind_can_be_trained_stored_imagined_with_and_exported():
    configs = typing.get_args(AnyPredictorConfig)
    stored = [typing.get_args(typing.get_type_hints(config)["kind"])[0] for config in configs]
    for known in (stored, PREDICTOR_KINDS, NETWORKS, EIGHT_BITS, PLAIN, STEP_GRAPHS, PREDICTORS):
        assert set(known) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_predictor_is_made_of_the_kind_that_its_sizes_say(kind):
    predictor = make_predictor(PREDICTOR_CONFIGS[kind]())
    assert type(predictor) is KINDS[kind]
    assert predictor.config.kind == kind
