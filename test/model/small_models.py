"""Small models with slots, two views and two context frames: the shape of the model that ships, in miniature."""

from dataclasses import replace

import torch

from jepa_planner.core.arm_layout import STATE_CHANNELS
from jepa_planner.core.observation import Observation
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import (
    ActionSpec,
    ImageSpec,
    LatentSpec,
    StateSpec,
    SubGoalSpec,
    TrainingSpec,
    VerdictSpec,
)
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.keypoints import KeypointConfig, SpatialSoftmaxKeypoints
from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import make_predictor
from jepa_planner.model.sub_goal_head import SubGoalHead, SubGoalHeadConfig
from jepa_planner.model.verdict_head import VerdictHead, VerdictHeadConfig
from jepa_planner.model.world_model import Context, WorldModel

SLOTS, CHANNELS = 3, 4


def slot_encoder_config(**changes) -> EncoderConfig:
    defaults = EncoderConfig(
        image_size=(32, 32),
        width=24,
        depth=2,
        heads=2,
        mlp_hidden=32,
        stem="conv",
        views=2,
        slots=SLOTS,
        slot_channels=CHANNELS,
    )
    return replace(defaults, **changes)


def slot_predictor_config(**changes) -> PredictorConfig:
    defaults = PredictorConfig(
        latent_channels=CHANNELS,
        grid=(1, SLOTS),
        width=24,
        depth=2,
        heads=2,
        mlp_hidden=32,
        state_dim=8,
        max_steps=8,
        slot_embedding=True,
        residual=True,
        output_norm="none",
        extrinsics=False,
    )
    return replace(defaults, **changes)


def mlp_predictor_config(**changes) -> MlpPredictorConfig:
    defaults = MlpPredictorConfig(
        latent_channels=CHANNELS, grid=(1, SLOTS), width=24, depth=2, mlp_hidden=32, state_dim=8
    )
    return replace(defaults, **changes)


PREDICTOR_CONFIGS = {"transformer": slot_predictor_config, "mlp": mlp_predictor_config}


def small_encoder(seed: int = 0, **changes) -> VideoEncoder:
    """With weights large enough that every pixel shows in the latents."""
    torch.manual_seed(seed)
    encoder = VideoEncoder(slot_encoder_config(**changes))
    for module in encoder.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    if changes.get("views", 2) > 1:
        torch.nn.init.normal_(encoder.view_embed)
    return encoder


KEYPOINTS = KeypointConfig(image_size=(32, 32), views=2, channels=8, keypoints=4, values=3)


def small_keypoints(seed: int = 0) -> SpatialSoftmaxKeypoints:
    """In eval mode."""
    torch.manual_seed(seed)
    return SpatialSoftmaxKeypoints(KEYPOINTS).eval()


def small_predictor(seed: int = 0, kind: str = "transformer", **changes) -> Predictor:
    """In eval mode, with weights large enough that every input shows in the output."""
    torch.manual_seed(seed)
    predictor = make_predictor(PREDICTOR_CONFIGS[kind](**changes))
    for parameter in predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return predictor.eval()


def sub_goal_head_config(**changes) -> SubGoalHeadConfig:
    defaults = SubGoalHeadConfig(latent_tokens=SLOTS, latent_channels=CHANNELS, state_dim=8, width=16, depth=2)
    return replace(defaults, **changes)


def small_sub_goal_head(seed: int = 0, **changes) -> SubGoalHead:
    """In eval mode, with random weights."""
    torch.manual_seed(seed)
    return SubGoalHead(sub_goal_head_config(**changes)).eval()


def small_sub_goal_spec(**changes) -> SubGoalSpec:
    defaults = SubGoalSpec(head=sub_goal_head_config(), training=TrainingSpec(data="none", command="none"))
    return replace(defaults, **changes)


def verdict_head_config(**changes) -> VerdictHeadConfig:
    defaults = VerdictHeadConfig(latent_tokens=SLOTS, latent_channels=CHANNELS, state_dim=8, width=16, depth=2)
    return replace(defaults, **changes)


def small_verdict_head(seed: int = 0, **changes) -> VerdictHead:
    """In eval mode, with random weights."""
    torch.manual_seed(seed)
    return VerdictHead(verdict_head_config(**changes)).eval()


def small_verdict_spec(**changes) -> VerdictSpec:
    defaults = VerdictSpec(head=verdict_head_config(), training=TrainingSpec(data="none", command="none"))
    return replace(defaults, **changes)


def small_contract(**changes) -> Contract:
    defaults = Contract(
        name="small",
        version="1",
        licence="Apache-2.0",
        image=ImageSpec(height=32, width=32, views=("front", "side")),
        latent=LatentSpec(tokens=SLOTS, channels=CHANNELS, grid=(1, SLOTS)),
        state=StateSpec(channels=STATE_CHANNELS, frame="panda_link0", tcp_frame="tcp"),
        action=ActionSpec(max_abs=(0.06, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0), time_step_s=0.25),
        training=TrainingSpec(data="none", command="none", seeds=(0,), steps={"encoder": 1}),
        encoder=slot_encoder_config(),
        predictor=slot_predictor_config(),
        context_frames=2,
    )
    return replace(defaults, **changes)


def small_world_model(seed: int = 0, chunk: int | None = None, kind: str = "transformer") -> WorldModel:
    predictor = small_predictor(seed, kind)
    return WorldModel(small_contract(predictor=predictor.config), small_encoder(seed), predictor, chunk=chunk)


def small_context(frames: int = 2, seed: int = 0) -> Context:
    generator = torch.Generator().manual_seed(seed)
    states = 0.3 * torch.randn(frames, 8, generator=generator)
    states[:, 6:] = 0.5
    return Context(
        latents=torch.randn(frames, SLOTS, CHANNELS, generator=generator),
        states=states,
        actions=0.05 * torch.randn(frames - 1, 7, generator=generator),
    )


def small_observation(seed: int = 0) -> Observation:
    """The present of `small_context(1, seed)`."""
    context = small_context(1, seed)
    return Observation(context.latents[0], state=context.states[0])


def small_actions(candidates: int = 5, horizon: int = 3, seed: int = 1) -> torch.Tensor:
    return 0.05 * torch.randn(candidates, horizon, 7, generator=torch.Generator().manual_seed(seed))
