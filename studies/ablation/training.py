"""The same training for several objectives or sizes of data, and what its report says of each."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from jepa_planner import __version__
from jepa_planner.core.strict_fields import from_plain, to_plain
from jepa_planner.learning.training.recipe import Recipe
from jepa_planner.learning.training.training_run import Collapsed, run
from studies.result_cache import ASKED, cached, episodes_asked

STEPS_AHEAD = 4


@dataclass(frozen=True)
class Budget:
    """What all variants are given: iterations and batch of the training, and its seed."""

    encoder_iterations: int = 2200
    encoder_batch: int = 48
    predictor_iterations: int = 1500
    seed: int = 0

    def in_words(self) -> str:
        """One line that says what all rows have in common."""
        return (
            f"{self.encoder_iterations} encoder iterations of {self.encoder_batch} windows, "
            f"{self.predictor_iterations} predictor iterations, seed {self.seed}"
        )


@dataclass(frozen=True)
class Variant:
    """What differs: the objective (see `JointObjective`), and how many of the episodes are used (None: all)."""

    objective: str
    episodes: int | None = None

    @property
    def name(self) -> str:
        return f"{self.objective}-{self.episodes or 'all'}"


@dataclass(frozen=True)
class Measures:
    """What training found of a variant; errors are medians on held-out episodes.

    prediction, copying: squared error of latents imagined STEPS_AHEAD steps and of the last one seen, where the object
    moves; None where the encoder collapsed, and there is no bundle.
    """

    episodes: int
    collapsed: bool
    effective_rank: float
    numbers: int
    spread: float
    tcp_cm: float
    object_cm: float
    object_linear_cm: float
    prediction: float | None
    copying: float | None
    seconds: float


def bundle_of(out: Path, variant: Variant) -> Path:
    """Where the bundle of a variant is written, unless it collapses."""
    return out / variant.name / "bundle"


def train(data: Path, out: Path, variant: Variant, budget: Budget) -> Measures:
    """Trains one variant in its own folder of `out`, or reads the measures that are there already.

    Interrupted, it goes on from its checkpoints. Raises ValueError where they are of another budget or other episodes.
    """
    asked = {
        "package": __version__, "data": episodes_asked([data]), "objective": variant.objective,
        "episodes": variant.episodes, **to_plain(budget),
    }  # fmt: skip
    file = out / variant.name / "training.json"
    measures = cached(file, asked, lambda: to_plain(_trained(data, out, variant, budget)))
    return from_plain(Measures, {name: value for name, value in measures.items() if name != ASKED})


def _trained(data: Path, out: Path, variant: Variant, budget: Budget) -> Measures:
    run_folder, started_s = out / variant.name / "run", time.monotonic()
    recipe = Recipe(objective=variant.objective, episodes=variant.episodes, name=variant.name, **to_plain(budget))
    try:
        run(data, bundle_of(out, variant), run_folder, recipe)
    except Collapsed as verdict:
        print(verdict)
    report = json.loads((run_folder / "report.json").read_text())
    collapse, readouts, errors = report["collapse"], report["readouts"], report.get("prediction_error")
    return Measures(
        episodes=report["episodes"],
        collapsed=errors is None,
        effective_rank=collapse["effective_rank"],
        numbers=collapse["numbers"],
        spread=collapse["std_mean"],
        tcp_cm=readouts["tcp"]["mlp_median"],
        object_cm=readouts["object"]["mlp_median"],
        object_linear_cm=readouts["object"]["linear_median"],
        prediction=errors and errors["object_moves"][STEPS_AHEAD - 1],
        copying=errors and errors["object_moves_copy"][STEPS_AHEAD - 1],
        seconds=round(time.monotonic() - started_s, 1),
    )
