"""Appearance variants: the same motion filmed several times, on tables that look different. What they have in common is
what happens.

The generator of their appearances is none of the episode's: the same seed means the same motion, however often it is
filmed.
"""

from __future__ import annotations

import numpy as np

from jepa_planner_sim.scene_draws import sample_appearance
from jepa_planner_sim.world import World


class AppearanceVariants:
    """Pictures of an episode of a world in so many appearances at once, which change every `cut_steps` steps.

    Call `shoot` when the world is built, and after each step. Where one cut ends and the next begins, both show the
    moment.
    """

    def __init__(self, world: World, rng: np.random.Generator, variants: int, cut_steps: int) -> None:
        self._world, self._rng, self._variants, self._cut_steps = world, rng, variants, cut_steps
        self._frames = 0
        self._cuts: list[list[np.ndarray]] = []

    def shoot(self) -> np.ndarray:
        """Pictures [variants, V, H, W, 3] of this moment."""
        if self._frames % self._cut_steps == 0:
            if self._cuts:
                self._cuts[-1].append(self._pictures())
            self._appearances = [sample_appearance(self._rng, self._world.scene) for _ in range(self._variants)]
            self._cuts.append([])
        self._frames += 1
        self._cuts[-1].append(self._pictures())
        return self._cuts[-1][-1]

    def images(self) -> np.ndarray:
        """Pictures of whole cuts, uint8 [cuts * variants, cut_steps + 1, V, H, W, 3], variants of a cut in a row."""
        whole = [np.stack(cut, axis=1) for cut in self._cuts if len(cut) == self._cut_steps + 1]
        return np.concatenate(whole)

    def repeated(self, values: np.ndarray, frames: int) -> np.ndarray:
        """What goes with `images`, of values of the episode, one for each moment or step: [cuts * variants, frames,
        ..].

        frames: cut_steps for steps, and one more for moments.
        """
        cuts = [values[first : first + frames] for first in range(0, self._frames - 1, self._cut_steps)]
        return np.repeat(np.stack(cuts), self._variants, axis=0)

    def _pictures(self) -> np.ndarray:
        shown = []
        for appearance in self._appearances:
            self._world.show(appearance)
            shown.append(self._world.render())
        return np.stack(shown)
