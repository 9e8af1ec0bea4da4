"""Writes a bundle's encoder and predictor as ONNX beside its weights, checked against torch."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from jepa_planner.core.context import Context
from jepa_planner.model.bundle import load_bundle, write_bundle
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.onnx.graphs import (
    ENCODER_INPUTS,
    ENCODER_ONNX,
    ENCODER_OUTPUTS,
    PREDICTOR_ONNX,
    STEP_GRAPHS,
    draw,
)
from jepa_planner.model.onnx.runtime import PREDICTORS, OnnxEncoder, cpu_session
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.differentiable import differentiable_rollout

OPSET = 18
LARGEST_FILE_BYTES = 1_500_000_000  # protobuf ends at 2 GB; the weights of larger models lie in a file of their own
LARGEST_ERROR = 1e-4
NEEDED = ("onnx", "onnxscript", "onnxruntime")


class ExportError(ValueError):
    """The model cannot be exported, or its ONNX form computes something else."""


@dataclass(frozen=True)
class ExportReport:
    """Largest difference to torch over the largest magnitude, on random inputs, and the files that were written."""

    encoder_error: float
    predictor_error: float
    files: tuple[str, ...]


def export_bundle(folder: str | Path) -> ExportReport:
    """Adds encoder.onnx and predictor.onnx to a bundle, with their sha256 in its contract.

    The bundle stays as it was where anything fails. Raises BundleError for the bundle, and ExportError where a package
    is missing or the exported model differs from torch by more than LARGEST_ERROR.
    """
    for package in NEEDED:
        try:
            __import__(package)
        except ImportError as error:
            raise ExportError(f"{package} is not installed: pip install 'jepa_planner[onnx]'") from error
    folder = Path(folder)
    encoder, predictor, contract = load_bundle(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx-") as scratch:
        encoder_path, predictor_path = Path(scratch) / ENCODER_ONNX, Path(scratch) / PREDICTOR_ONNX
        export_encoder(encoder, encoder_path)
        export_predictor(predictor, predictor_path)
        errors = {
            ENCODER_ONNX: encoder_error(encoder, encoder_path),
            PREDICTOR_ONNX: predictor_error(predictor, predictor_path),
        }
        for name, largest in errors.items():
            if not largest <= LARGEST_ERROR:
                raise ExportError(
                    f"{name} differs from torch by {largest:.1e} (relative); expected {LARGEST_ERROR:.0e} at most"
                )
        written = sorted(Path(scratch).iterdir())
        for file in written:
            file.replace(folder / file.name)
    files = tuple(file.name for file in written)
    write_bundle(folder, replace(contract, files={**contract.files, **dict.fromkeys(files, "")}), {}, torch.float32)
    return ExportReport(errors[ENCODER_ONNX], errors[PREDICTOR_ONNX], files)


def export_encoder(encoder: VideoEncoder, path: Path) -> None:
    """Writes the encoder for any number of images."""
    some = torch.export.Dim.DYNAMIC
    _export(encoder.eval(), (_images(encoder, 3),), path, ENCODER_INPUTS, ENCODER_OUTPUTS, ({0: some},))


def export_predictor(predictor: Predictor, path: Path) -> None:
    """Writes one time step of the predictor, for any number of candidates and of steps before it."""
    graph = STEP_GRAPHS[predictor.config.kind](predictor).eval()
    _export(graph, graph.example(3), path, graph.inputs, graph.outputs, graph.dynamic)


def encoder_error(encoder: VideoEncoder, path: Path) -> float:
    """Largest relative difference of encoder.onnx on the CPU to torch, for two sizes of batch."""
    run = OnnxEncoder(cpu_session(path))
    with torch.inference_mode():
        return max(relative_error(run(x), encoder(x)) for x in (_images(encoder, batch) for batch in (1, 3)))


def predictor_error(predictor: Predictor, path: Path) -> float:
    """Largest relative difference of rollouts by predictor.onnx on the CPU to torch, after one frame and after two."""
    run, errors = PREDICTORS[predictor.config.kind](cpu_session(path), predictor.config), []
    for frames in (1, 2):
        context, actions = _context(predictor, frames), 0.05 * draw(3, 2, predictor.config.action_dim)
        with torch.inference_mode():
            actual = differentiable_rollout(run, context, actions)
            expected = differentiable_rollout(predictor, context, actions)
        errors.append(relative_error(actual, expected))
    return max(errors)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected magnitude; infinite where a number is not finite."""
    error = ((actual - expected).abs().max() / expected.abs().max()).item()
    return error if actual.isfinite().all() else float("inf")


def _export(
    module: nn.Module, inputs: tuple, path: Path, names: Sequence[str], outputs: Sequence[str], dynamic: tuple[Any, ...]
) -> None:
    size = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
    with _quiet():
        torch.onnx.export(
            module.requires_grad_(False),
            inputs,
            path,
            input_names=list(names),
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            dynamo=True,
            opset_version=OPSET,
            external_data=size > LARGEST_FILE_BYTES,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that this model does not need, and on its own future."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", (FutureWarning, DeprecationWarning, UserWarning))
            yield
    finally:
        log.setLevel(before)


def _images(encoder: VideoEncoder, batch: int) -> Tensor:
    return draw(batch, encoder.config.views, 3, *encoder.config.image_size)


def _context(predictor: Predictor, frames: int) -> Context:
    config = predictor.config
    latents = predictor.normalise_output(draw(frames, config.latent_tokens, config.latent_channels))
    states = predictor.state_mean + 0.1 * draw(frames, config.state_dim)
    return Context(latents, states, 0.05 * draw(frames - 1, config.action_dim))
