"""The kinds of predictor there are, and the one place that makes a predictor of its sizes."""

from jepa_planner.model.mlp_predictor import MlpPredictor, MlpPredictorConfig
from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.model.predictor_kind import Predictor

AnyPredictorConfig = PredictorConfig | MlpPredictorConfig
KINDS: dict[str, type[Predictor]] = {"transformer": ActionConditionedPredictor, "mlp": MlpPredictor}
"""By `kind` of the config."""


def make_predictor(config: AnyPredictorConfig) -> Predictor:
    """An untrained predictor of these sizes."""
    return KINDS[config.kind](config)
