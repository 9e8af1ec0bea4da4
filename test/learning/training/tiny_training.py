"""Episodes and modules small enough to train in a test."""

import numpy as np
import torch

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import make_predictor

ENCODER = EncoderConfig(
    image_size=(32, 32), width=24, depth=1, heads=2, mlp_hidden=32, stem="conv", views=2, slots=4, slot_channels=3
)
PREDICTOR = PredictorConfig(
    latent_channels=3, grid=(1, 4), width=24, depth=2, heads=2, mlp_hidden=32, state_dim=8, action_dim=7,
    slot_embedding=True, residual=True, output_norm="none", extrinsics=False,
)  # fmt: skip
MLP = MlpPredictorConfig(latent_channels=3, grid=(1, 4), width=24, depth=2, mlp_hidden=32, state_dim=8, action_dim=7)
PREDICTORS = {"transformer": PREDICTOR, "mlp": MLP}


def episodes(count: int = 6, steps: int = 8, size_px: int = 32, seed: int = 0, blank: bool = False) -> Episodes:
    """Random walks of a tcp; two pictures show it as a bright square, and an object that lies still in between."""
    rng = np.random.default_rng(seed)
    actions = np.zeros((count, steps, 7), np.float32)
    actions[..., :3] = rng.uniform(-0.03, 0.03, (count, steps, 3))
    actions[..., 6] = rng.uniform(-0.3, 0.3, (count, steps))
    states = np.zeros((count, steps + 1, 8), np.float32)
    states[:, 0, :3] = rng.uniform([0.45, -0.05, 0.1], [0.55, 0.05, 0.15], (count, 3))
    states[:, 1:, :3] = states[:, :1, :3] + np.cumsum(actions[..., :3], axis=1)
    states[..., 6:] = rng.uniform(0.4, 0.6, (count, 1, 1))
    for step in range(steps):
        states[:, step + 1, 6:] = np.clip(states[:, step, 6:] + actions[:, step, 6:], 0.0, 1.0)
    poses = np.zeros((count, steps + 1, 4), np.float32)
    poses[...] = rng.uniform([0.4, -0.1, 0.0, -0.2], [0.6, 0.1, 0.0, 0.2], (count, 1, 4))
    images = np.full((count, steps + 1, 2, size_px, size_px, 3), 90, np.uint8)
    if blank:  # but for a lamp that flickers: a camera that sees nothing at all is refused
        for view in range(2):
            images[:, :, view, :8, 16 * view : 16 * view + 8] = rng.integers(200, 255, (count, steps + 1, 1, 1, 1))
    else:
        images += rng.integers(0, 60, images.shape, dtype=np.uint8)
        for view, (column, row) in enumerate(((1, 2), (0, 2))):
            _draw(images[:, :, view], poses[..., [column, row]], channel=0)
            _draw(images[:, :, view], states[..., [column, row]], channel=2)
    return Episodes(
        images, states, actions, poses, ("reach",) * count, np.arange(count) + 100 * seed, ("front", "side"), 0.25,
        frame="panda_link0", tcp_frame="tcp",
    )  # fmt: skip


def encoder(seed: int = 0) -> VideoEncoder:
    torch.manual_seed(seed)
    return VideoEncoder(ENCODER)


def tiny_predictor(encoder: EncoderConfig, kind: str | None = None) -> PredictorConfig | MlpPredictorConfig:
    """In place of `recipe.shipped_predictor`."""
    return PREDICTORS[kind or "mlp"]


def predictor(seed: int = 0, untrained: bool = False, kind: str = "transformer") -> Predictor:
    """With random weights everywhere, so that what it predicts depends on all that it is given."""
    torch.manual_seed(seed)
    module = make_predictor(PREDICTORS[kind])
    if not untrained:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_(std=0.3)
    return module


def _draw(images: np.ndarray, places_m: np.ndarray, channel: int) -> None:
    size = images.shape[-2]
    corner = np.clip((places_m - [0.3, 0.0]) / 0.5 * size, 0, size - 6).astype(int)
    for index in np.ndindex(images.shape[:2]):
        column, row = corner[index]
        images[index][row : row + 6, column : column + 6, channel] = 255
