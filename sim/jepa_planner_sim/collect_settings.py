"""What to collect: how many episodes, of what, filmed how."""

from __future__ import annotations

from dataclasses import dataclass

from jepa_planner.learning.evaluation.scenes import EVALUATION_SEED_START
from jepa_planner_sim.behaviours import MIXES
from jepa_planner_sim.cameras import STANDARD_CAMERAS, cameras_named
from jepa_planner_sim.scene_draws import UNSEEN, VARIED, check_perturbations

STANDARD_SCENE = -1
"""The number of the scene that all episodes show in which nothing varies."""
LAYOUTS = "layouts"
"""Instead of a behaviour: the arm rests and things are put elsewhere, see `layouts`."""
BEHAVIOURS = (*MIXES, LAYOUTS)


@dataclass(frozen=True)
class CollectSettings:
    """What to collect; the same settings and seed give the same files."""

    episodes: int = 2000
    """Done in the simulator, before variants and cuts; at least 1."""
    steps: int = 40
    """Actions of each, at least 1."""
    seed: int = 0
    """That of the first episode; all of them must lie below those of evaluation, from 0 up."""
    image_size_px: int = 64
    """Width and height of the pictures."""
    vary: frozenset[str] = frozenset()
    """Names as `sample_scene` takes them, or VARIED alone, which is `sample_training_scene`."""
    per_scene: int = 1
    """So many episodes in a row have the same table, light, cameras and things, which stand elsewhere in each; at least
    1, and 1 where nothing varies.
    """
    behaviour: str = "exploration"
    """One of BEHAVIOURS."""
    shard_episodes: int = 20
    """Of them in one file, at least 1."""
    adapter: str = ""
    """A SceneAdapter as MODULE:CLASS, which then says what lies on the table and what is done with it; empty: none."""
    views: tuple[str, ...] = tuple(STANDARD_CAMERAS)
    """Cameras, some of CAMERAS, each once."""
    variants: int = 1
    """An episode is filmed so many times, each on a table that looks different (`sample_appearance`); at least 1, and 1
    unless vary is VARIED.
    """
    variant_steps: int = 0
    """Variants are cut into episodes of so many steps, each of which looks different again; a divisor of steps, 0: not
    cut.
    """
    strength: float = 1.0
    """Scale of the ranges in which scenes vary, at least 0; VARIED has its own."""
    setup: int | None = None
    """What varies is drawn by this number alone, at least 0, as trials with that number draw it; None: it is not."""

    def __post_init__(self) -> None:
        cameras_named(self.views)
        if min(self.episodes, self.steps, self.shard_episodes, self.per_scene, self.variants) < 1:
            raise ValueError(
                f"episodes, steps, shard size, episodes per scene and variants must be at least 1, got {self}"
            )
        if self.variant_steps < 0 or self.steps % self.cut_steps:
            raise ValueError(
                f"{self.steps} steps cannot be cut into variants of {self.variant_steps}: choose a divisor, or 0"
            )
        if self.variants > 1 and (self.vary != {VARIED} or self.per_scene > 1):
            raise ValueError(
                f"{self.variants} variants: tables look different in varied scenes, and then no two episodes share "
                f"one; "
                "collect varied scenes without sharing, or one variant"
            )
        if self.variant_steps and self.variants == 1:
            raise ValueError(
                f"variants of {self.variant_steps} steps: one variant is not cut; ask for several, or fewer steps"
            )
        if self.behaviour not in BEHAVIOURS:
            raise ValueError(f"unknown behaviour {self.behaviour!r}; known are {', '.join(BEHAVIOURS)}")
        if self.behaviour == LAYOUTS and self.variants == 1:
            raise ValueError("layouts are filmed in several variants, which are compared: ask for two or more")
        if self.adapter and (self.vary or self.behaviour != "exploration"):
            raise ValueError(
                "an adapter draws its own scenes and behaves in its own way: leave out what varies, and how"
            )
        if self.per_scene > 1 and not self.vary:
            raise ValueError(
                f"{self.per_scene} episodes per scene: only scenes that vary can be shared, standard ones are all the "
                "same and an adapter draws its own; leave it out, or say what varies"
            )
        if self.strength < 0.0 or (self.strength != 1.0 and self.vary in ({VARIED}, frozenset())):
            raise ValueError(
                f"strength {self.strength:g}: expected 0 or more, of what is said to vary; varied scenes have their own"
            )
        if self.setup is not None and (self.setup < 0 or self.vary in ({VARIED}, frozenset()) or self.per_scene > 1):
            raise ValueError(
                f"setup {self.setup}: expected a number from 0 up, and what varies in it by its names; all episodes "
                "then share a scene, so leave out how many do"
            )
        if unseen := sorted(self.vary & set(UNSEEN)):
            raise ValueError(f"{', '.join(unseen)} cannot be collected: it shows what a model does with the unseen")
        if self.vary != {VARIED}:
            check_perturbations(self.vary)
        if not 0 <= self.seed <= EVALUATION_SEED_START - self.episodes:
            raise ValueError(
                f"seeds {self.seed} to {self.seed + self.episodes} must lie in 0 to {EVALUATION_SEED_START}: "
                "those above are for evaluation"
            )

    @property
    def cut_steps(self) -> int:
        """Steps of the episodes that are written."""
        return self.variant_steps or self.steps

    @property
    def episodes_each(self) -> int:
        """So many are written of one that is done."""
        return self.variants * self.steps // self.cut_steps

    def scene_of(self, seed: int) -> int:
        """The first seed of the episodes that share a scene with this one, or the number of their setup; STANDARD_SCENE
        where nothing varies.
        """
        if not (self.vary or self.adapter):
            return STANDARD_SCENE
        if self.setup is not None:
            return self.setup
        return seed - (seed - self.seed) % self.per_scene
