"""What a bundle's latents know and how far its predictor can be trusted, measured on episodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import frames_at
from jepa_planner.learning.training.collapse import CollapseReport, measure_collapse
from jepa_planner.learning.training.predictor_training import Difference
from jepa_planner.learning.training.probes import (
    Readout,
    imagined_position_error,
    prediction_error,
    train_readers,
    try_readers,
)
from jepa_planner.learning.training.windows import Split

if TYPE_CHECKING:
    from jepa_planner.model.world_model import WorldModel

BATCH = 128
FACT_WORDS = {
    "tcp": "tcp position",
    "object": "object position",
    "gripper_width": "gripper width",
    "object_yaw": "object yaw, modulo 90",
}


@dataclass(frozen=True)
class ProbeReport:
    """Measures of a model on episodes; see `CollapseReport`, `Readout`, `prediction_error`, `imagined_position_error`.

    difference: what prediction_error is, "mse" or "l1", as the model's own energy.
    """

    episodes: int
    held_out_episodes: int
    frames: int
    collapse: CollapseReport
    readouts: dict[str, Readout]
    difference: Difference
    prediction_error: dict[str, list[float]]
    imagined_position_error_cm: dict[str, list[float]]


def probe(
    model: WorldModel,
    episodes: Episodes,
    split: Split,
    difference: Difference,
    seed: int = 0,
    iterations: int = 1500,
    horizon: int = 4,
) -> ProbeReport:
    """Encode all episodes, train read-outs on the split's training part and measure on its held-out part;
    errors of imagined latents by `difference`, which should be that of the energy.

    Object poses are read here and nowhere else: no part of the model learns from them. Raises ContractError where the
    episodes' cameras or pictures are not the model's, and ValueError where they are too short.
    """
    contract = model.contract
    frames, context = episodes.states.shape[1], contract.context_frames
    if frames < context + horizon:
        raise ValueError(f"episodes of {frames} frames are too short; {context} + {horizon} are needed at least")
    channels = contract.state.columns
    latents = encode(model, episodes)
    readers = train_readers(latents, episodes, split.train, seed, iterations)
    predictor = model.predictor
    common = latents, episodes, split.held_out, horizon, context
    return ProbeReport(
        episodes=len(episodes),
        held_out_episodes=len(split.held_out),
        frames=len(episodes) * frames,
        collapse=measure_collapse(latents, np.random.default_rng(seed)),
        readouts=try_readers(readers, latents, episodes, split),
        difference=difference,
        prediction_error=prediction_error(predictor, *common, difference, channels),
        imagined_position_error_cm=imagined_position_error(predictor, readers, *common, channels),
    )


def encode(model: WorldModel, episodes: Episodes) -> np.ndarray:
    """Latents float32 [E, T+1, N, D]; raises ContractError where the pictures are not what the model takes."""
    views = model.contract.pick_views(episodes.views)
    model.contract.check_images((1, len(views), *episodes.images.shape[3:]))
    frames = np.arange(episodes.images.shape[0] * episodes.images.shape[1])
    latents = torch.cat(
        [
            model.encode(frames_at(episodes.images, frames[start : start + BATCH])[:, views]).cpu()
            for start in tqdm(range(0, len(frames), BATCH), desc="encode", unit_scale=BATCH, unit="frame")
        ]
    )
    return latents.numpy().reshape(*episodes.images.shape[:2], *latents.shape[1:])


def as_plain_data(report: ProbeReport) -> dict[str, object]:
    """The report as plain JSON types."""
    return asdict(report)


def in_words(report: ProbeReport) -> str:
    """Tables for a terminal, which are Markdown as well."""
    trained = report.episodes - report.held_out_episodes
    parts = [
        f"{report.frames} frames of {report.episodes} episodes; read-outs learned from {trained} of them and, like the "
        f"imagined latents, tried on the other {report.held_out_episodes}.\n"
        "Object poses are read for this report only; the model never saw them.",
        str(report.collapse),
        _readout_table(report.readouts),
        _prediction_table(report),
    ]
    return "\n\n".join(parts)


def _readout_table(readouts: dict[str, Readout]) -> str:
    lines = ["| read-out | unit | the mean, said always | linear | small MLP | small MLP, mean error |"]
    lines.append("|---|---|---|---|---|---|")
    for name, readout in readouts.items():
        numbers = (readout.constant_median, readout.linear_median, readout.mlp_median, readout.mlp_mean)
        lines.append(
            f"| {FACT_WORDS[name]} | {readout.unit} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |"
        )
    return "\n".join(["Median errors", *lines])


def _prediction_table(report: ProbeReport) -> str:
    errors, positions = report.prediction_error, report.imagined_position_error_cm
    steps = range(1, len(errors["arm_only"]) + 1)
    named = {"mse": "squared", "l1": "absolute"}[report.difference]
    lines = [
        f"After so many steps, imagined / copied from the last latent: {named} error of the latent, tcp and object"
    ]
    lines += ["| held-out windows | of | " + " | ".join(str(step) for step in steps) + " |"]
    lines.append("|---" * (2 + len(steps)) + "|")
    for kind, words in (("object_moves", "the object moves"), ("arm_only", "only the arm moves")):
        rows = [("latent", errors[kind], errors[f"{kind}_copy"], "{:.3f} / {:.3f}")]
        for name in ("tcp", "object"):
            rows.append(
                (f"{name}, cm", positions[f"{kind}_{name}"], positions[f"{kind}_copy_{name}"], "{:.2f} / {:.2f}")
            )
        for what, imagined, copied, form in rows:
            cells = (form.format(*pair) for pair in zip(imagined, copied, strict=True))
            lines.append(f"| {words} | {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
