"""Demonstrations and a bundle in, a bundle that tells when the work is done out; all else stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, heed
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.data.shown_work import not_failed
from jepa_planner.learning.data.way_back import way_back
from jepa_planner.learning.training.add_sub_goals import LEAST_SPREAD, keypoints_of, present
from jepa_planner.learning.training.demonstrations import encoded_demonstrations
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.run_folder import check_same_run, write_whole
from jepa_planner.learning.training.verdict_calibration import (
    judged,
    least_certainty,
    least_unreachable,
    met_temperature,
    verdict_report,
)
from jepa_planner.learning.training.verdict_training import (
    PairSampler,
    VerdictTraining,
    train_verdict_head,
)
from jepa_planner.learning.training.windows import split, state_scaling
from jepa_planner.model.bundle import add_verdict_head, load_verdict_head
from jepa_planner.model.bundle_files import ENCODER_FILE, VERDICT_FILE
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import TrainingSpec, VerdictSpec
from jepa_planner.model.keypoints import KeypointConfig
from jepa_planner.model.verdict_head import VerdictHead, VerdictHeadConfig
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.verdict import VerdictSettings

ITERATIONS, KEYPOINT_ITERATIONS = 4000, 2000
HELD_OUT_SHARE = 0.1
"""Half of them calibrate the head, the other half say what it is worth."""


@dataclass(frozen=True)
class VerdictRun:
    """How long to train, from which seed, and on which episodes."""

    seed: int = 0
    """Seed of all random numbers."""
    iterations: int | None = None
    """Batches to learn from, at least 1; None: as many as such a head needs."""
    keypoints: bool = False
    """Whether the head looks at the pictures themselves."""
    keypoints_of: Path | None = None
    """A bundle with whose keypoints it begins; None: with those that `init` imagines sub-goals with, if it has some."""
    go_on: bool = False
    """Whether it begins with the whole head that `init` has."""
    arm_from_latents: bool = False
    """See `VerdictHeadConfig`."""
    episodes: int | None = None
    """Only the first so many demonstrations are learned from, at least 1; None: all."""
    command: str = ""
    """What was typed, as it is noted in the bundle."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    out_of_reach: tuple[Path, ...] = ()
    """Folders of episodes with a thing where no hand can bring it or take it from, or without it, of scenes that
    demonstrations show too: learned is to say so.
    """
    checked: bool = False
    """Whether what is wrong with episodes was said before, so that it need not be again."""


@torch.random.fork_rng(devices=[])
def add_verdict(
    demonstrations: Sequence[Path], init: Path, bundle: Path, run_folder: Path, settings: VerdictRun
) -> dict[str, Any]:
    """Trains a head on the episodes of folders and writes the bundle `init` with it to `bundle`, which may be `init`.

    Resumes from what `run_folder` holds. Returns the report: what the head, as it is on disk, says of held-out pairs.
    Raises EpisodeError, ContractError, BundleError, RunFolderError or ValueError for what does not fit.
    """
    run = Run("verdict", to_plain(settings))
    model = WorldModel.load(init)
    contract = model.contract
    episodes = not_failed(read_episodes(demonstrations, settings.episodes))
    if not settings.checked:
        heed(check_episodes(episodes), settings.trust_data)
    check_frames(episodes, contract)
    data = encoded_demonstrations(episodes, model, run_folder, keep_images=settings.keypoints)
    learned_from, away = {"demonstrations": episodes}, None
    if settings.out_of_reach:
        learned_from["out_of_reach"] = read_episodes(settings.out_of_reach)
        check_frames(learned_from["out_of_reach"], contract)
        away = encoded_demonstrations(
            learned_from["out_of_reach"], model, run_folder / "out_of_reach", keep_images=settings.keypoints
        )
    if away is not None and not np.isin(away.scenes, data.scenes).any():
        raise ValueError(
            f"none of the scenes in {', '.join(map(str, settings.out_of_reach))} is shown by a demonstration: show "
            "what is out of reach on the same table and with the same things"
        )
    training = verdict_training(settings.keypoints, settings.iterations)
    about = {"seed": settings.seed, "iterations": training.fit.iterations, "encoder": contract.files[ENCODER_FILE]}
    about |= {"data": data.content, "keypoints": settings.keypoints}
    about |= {"arm_from_latents": True} if settings.arm_from_latents else {}
    about |= {"go_on": contract.files.get(VERDICT_FILE)} if settings.go_on else {}
    about |= {"keypoints_of": str(settings.keypoints_of)} if settings.keypoints_of is not None else {}
    about |= {} if away is None else {"out_of_reach": away.content}
    check_same_run(run_folder / "verdict.json", run_folder / "verdict.ckpt", about)
    parts = split(data.states, HELD_OUT_SHARE)
    shown_away = kept_away = None
    if away is not None:
        away_parts = split(away.states, HELD_OUT_SHARE)
        shown_away, kept_away = away.only(away_parts.train), away.only(away_parts.held_out)
    torch.manual_seed(settings.seed)
    head = _head(contract, init, settings)
    if not settings.go_on:
        mean, spread = state_scaling(data.states[parts.train])
        head.set_scaling(mean, spread.clamp(min=LEAST_SPREAD))
    edges_m = head.config.edges_m
    sampler = PairSampler(data, parts.train, edges_m, training, settings.seed, shown_away)
    sampler.check_moved(edges_m[0])
    train_verdict_head(head, sampler, training, run_folder, settings.seed)

    planner_settings = PlannerSettings.load(init, contract)
    rule = planner_settings.verdict or VerdictSettings(
        holding=data.thresholds.holding, low_m=VerdictSettings.low_m + data.thresholds.table_m,
        back=way_back(data.arm_states, data.thresholds.contacts),
    )  # fmt: skip
    half = max(1, len(parts.held_out) // 2)
    calibrating, reporting = parts.held_out[:half], parts.held_out[-half:]
    judgements = judged(head, PairSampler(data, calibrating, edges_m, training, seed=0))
    head.set_temperature(met_temperature(judgements, edges_m, rule.within_m))
    said = judgements.said(edges_m, float(head.temperature), rule.within_m)
    certainty = least_certainty(said, judgements.off_m, training.false_alarms)
    rule = replace(rule, certainty=certainty, kept_certainty=min(rule.kept_certainty, certainty), unreachable=None)
    if away is not None:
        refused = judgements.unreachable(float(head.temperature))
        rule = replace(rule, unreachable=least_unreachable(refused, judgements.off_m, training.refusals))
    shown = data.in_words if away is None else f"{data.in_words}; out of reach: {away.in_words}"
    trained = TrainingSpec(
        data=shown, command=settings.command, seeds=(settings.seed,),
        steps={"verdict": training.fit.iterations},
    )  # fmt: skip
    with whole_bundle(bundle) as new:
        add_verdict_head(init, new, head, VerdictSpec(head=head.config, training=trained))
        changed = replace(planner_settings, verdict=rule).save(new)
        run.note(new, learned_from, init)
    written = present(load_verdict_head(bundle), bundle)
    judgements = judged(written, PairSampler(data, reporting, edges_m, training, 1, kept_away))
    report = {
        "demonstrations": len(data.states), "calibrated_on": len(calibrating), "held_out": len(reporting),
        "pairs_known": len(sampler.pairs.now), "planner": changed,
        **verdict_report(judgements, edges_m, float(head.temperature), rule),
    }  # fmt: skip
    write_whole(run_folder / "report.json", report)
    return report


def verdict_training(keypoints: bool, iterations: int | None = None) -> VerdictTraining:
    """Settings of a head that reads latents alone or has keypoints, for so many iterations."""
    iterations = iterations or (KEYPOINT_ITERATIONS if keypoints else ITERATIONS)
    fit = FitSettings(iterations, learning_rate=1.5e-3, weight_decay=0.05, warm_up=max(1, iterations // 20))
    return (
        VerdictTraining(fit, batch=96, strangers=0.1, unreachable=0.25, false_alarms=0.02)
        if keypoints
        else VerdictTraining(fit)
    )


def _head(contract: Contract, init: Path, settings: VerdictRun) -> VerdictHead:
    """A new one; one with keypoints begins with the keypoints of a head for sub-goals, where there is such."""
    encoder = contract.encoder
    scene = KeypointConfig(image_size=encoder.image_size, views=encoder.views) if settings.keypoints else None
    config = VerdictHeadConfig(
        latent_tokens=contract.latent.tokens, latent_channels=contract.latent.channels,
        state_dim=len(contract.state.channels), scene=scene, arm_from_latents=settings.arm_from_latents,
    )  # fmt: skip
    if settings.go_on:
        if contract.verdict is None or contract.verdict.head != config:
            raise ValueError(f"{init} has no head of this kind to go on with: leave out --go-on, or mind --keypoints")
        return present(load_verdict_head(init), init).train().requires_grad_(True)
    head = VerdictHead(config)
    if settings.keypoints_of is not None:
        head.scene.begin_with(keypoints_of(settings.keypoints_of, scene).scene)
    elif settings.keypoints and contract.sub_goals is not None and contract.sub_goals.head.scene == scene:
        head.scene.begin_with(keypoints_of(init, scene).scene)
    return head


def in_words(report: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    lines = [
        f"{report['demonstrations']} demonstrations; in {report['held_out']} held-out ones, of pairs of pictures whose "
        "objects lie",
        f"{'':10s} within 3 cm   3 to 5 cm   farther off   called done; off by (median error), hand in the goal",
    ]
    rows = {"all": report, **report["by_hand"]}
    for name, row in rows.items():
        shares = "".join(f"{_percent(row['called_done'][band]):>12s}" for band in ("within", "between", "beyond"))
        lines.append(f"{name:10s}{shares}   {row['off_error_cm']} cm, {row['goal_tcp_cm']} cm")
    lines.append(f"done is said from a chance of {report['certainty']} on")
    if report["called_unreachable"] is not None:
        lines.append(
            f"{_percent(report['called_unreachable'])} of what is not the same or out of reach is called so, "
            f"{_percent(report['refused'])} of what is not"
        )
    return "\n".join([*lines, *(f"planner.yaml: {line}" for line in report["planner"])])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
