"""The bundle of a dense encoder that was never trained: it tells red from grey."""

from pathlib import Path

import torch
from tiny_training import episodes

from jepa_planner.learning.training.dense.dense_run import DenseRun, dense_contract
from jepa_planner.model.bundle import write_bundle
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder


def dense_bundle(folder: Path) -> str:
    torch.manual_seed(0)
    encoder = VideoEncoder(
        EncoderConfig(image_size=(64, 64), width=24, depth=1, heads=2, mlp_hidden=48, patch_size=8, tubelet_size=1)
    )
    weights = {ENCODER_FILE: {name: (value,) for name, value in encoder.state_dict().items()}}
    write_bundle(folder, dense_contract(encoder, episodes(2), DenseRun(name="dense")), weights, torch.float32)
    return str(folder)
