"""A world model of the right shape that knows nothing: for the loop around it."""

from dataclasses import replace

import numpy as np
import torch

from jepa_planner.core.observation import Observation
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.contract_sections import SubGoalSpec, TrainingSpec, VerdictSpec
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.model.sub_goal_head import SubGoalHead, SubGoalHeadConfig
from jepa_planner.model.verdict_head import Opinion, VerdictHead, VerdictHeadConfig
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import VerdictSettings


def tiny_head() -> SubGoalHead:
    torch.manual_seed(1)
    return SubGoalHead(SubGoalHeadConfig(latent_tokens=4, latent_channels=3, state_dim=8, width=16, depth=1)).eval()


def imagining(model: WorldModel) -> WorldModel:
    """The same model with a contract that knows `tiny_head`; see `tiny_planner`."""
    spec = SubGoalSpec(head=tiny_head().config, training=TrainingSpec(data="none", command="none"))
    model.contract = replace(model.contract, sub_goals=spec)
    return model


class SureHead:
    """Says of any pair that objects lie within the first edge, and that the arm stands where it does."""

    def __call__(self, now: Observation, goal: Observation) -> Opinion:
        classes = VerdictHeadConfig(latent_tokens=4, latent_channels=3, state_dim=8).classes
        logits = torch.full((len(now.latent), classes), -20.0)
        logits[:, 0] = 0.0
        return Opinion(logits, now.state.clone())


def tiny_verdict_head() -> VerdictHead:
    torch.manual_seed(2)
    config = VerdictHeadConfig(latent_tokens=4, latent_channels=3, state_dim=8, width=16, depth=1)
    return VerdictHead(config).eval()


def judging(model: WorldModel) -> WorldModel:
    """The same model with a contract that knows `tiny_verdict_head`."""
    spec = VerdictSpec(head=tiny_verdict_head().config, training=TrainingSpec(data="none", command="none"))
    model.contract = replace(model.contract, verdict=spec)
    return model


def tiny_planner(
    reached_energy: float = 0.0,
    steps_per_sub_goal: int = 2,
    patience: int = 12,
    sub_goals: SubGoalSettings | None = None,
    verdict: VerdictSettings | None = None,
) -> PlannerSettings:
    """How `tiny_model` is planned with; sub_goals and verdict of a model whose contract knows their heads."""
    return PlannerSettings(
        energy=EnergySettings(kind="summed_mse", scale=2.0), reached_energy=reached_energy,
        steps_per_sub_goal=steps_per_sub_goal, initial_std=(0.04, 0.04, 0.04, 0.0, 0.0, 0.0, 0.0),
        cem=CemSettings(horizon=2, samples=8, iterations=1, elites=2), progress=ProgressSettings(patience=patience),
        sub_goals=sub_goals, verdict=verdict,
    )  # fmt: skip


def tiny_model() -> WorldModel:
    torch.manual_seed(0)
    encoder = VideoEncoder(
        EncoderConfig(
            image_size=(64, 64), width=24, depth=1, heads=2, mlp_hidden=32, stem="conv", views=2, slots=4,
            slot_channels=3,
        )
    )  # fmt: skip
    predictor = ActionConditionedPredictor(
        PredictorConfig(
            latent_channels=3, grid=(1, 4), width=24, depth=1, heads=2, mlp_hidden=32, state_dim=8, action_dim=7,
            slot_embedding=True, residual=True, output_norm="none", extrinsics=False,
        )
    )  # fmt: skip
    with torch.no_grad():
        predictor.predictor_proj.weight.normal_(std=0.3)
        encoder.slot_norm.running_var.fill_(1e-4)  # frames that differ get latents that differ
    frames = np.zeros((1, 2, 2, 64, 64, 3), np.uint8)
    arm, actions, poses = np.zeros((1, 2, 8)), np.zeros((1, 1, 7)), np.zeros((1, 2, 4))
    actions[..., :3] = 0.06
    data = Episodes(
        frames, arm, actions, poses, ("reach",), np.zeros(1, int), ("front", "side"), 0.25, frame="panda_link0",
        tcp_frame="tcp",
    )  # fmt: skip
    return WorldModel(contract(encoder, predictor, data, Recipe()), encoder, predictor)
