"""How alike observations are where nothing is left to do: the energy by which a model without a verdict knows it is
done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, XYZ
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.planning.energy import Energy, latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings

SAME_TCP_M, SAME_CLOSURE = 0.01, 0.05
"""Moments of an episode between which the gripper does no more than this, and that show the tcp so near, are alike."""
OTHER_TCP_M, OTHER_OBJECT_M = 0.03, 0.05
"""Moments that show the tcp or the object so far apart are not."""
ALIKE_SHARE, FALSE_SHARE = 0.95, 0.001
"""Of moments alike so many lie in the band, unless more than so many of the others would."""
FEWEST = 20


@dataclass(frozen=True)
class SettledBand:
    """energy: at most so much between moments that are alike, None where the episodes hold too few of them to tell.

    alike, others: how many pairs of moments were compared; alike_within and false_alarms: what share of them lies in
    the band.
    """

    energy: float | None
    alike: int
    others: int
    alike_within: float = 0.0
    false_alarms: float = 0.0

    def in_words(self) -> str:
        """One line for a terminal."""
        if self.energy is None:
            return "settled: too few moments that are alike to tell at what energy nothing is left to do"
        return (
            f"settled at energy {self.energy:g}: {100 * self.alike_within:.1f} % of {self.alike} pairs of moments that "
            f"are alike lie within, {100 * self.false_alarms:.2f} % of {self.others} others do"
        )

    def noted_in(self, settings: PlannerSettings) -> PlannerSettings:
        """The settings of a model that is planned with this band: no goal picture on the way is asked for more closely
        than moments that are alike are to each other.
        """
        reached_energy = max(settings.reached_energy, self.energy or 0.0)
        progress = replace(settings.progress, settled_energy=self.energy)
        return replace(settings, progress=progress, reached_energy=reached_energy)


def settled_band(latents: np.ndarray, episodes: Episodes, episode_indices: np.ndarray, energy_kind: str) -> SettledBand:
    """The band of an energy of latents [E, T+1, N, D], found in the held-out episodes with these numbers."""
    energy = latent_energy(energy_kind)
    of_episodes = [_pairs(latents[number], episodes, number, energy) for number in episode_indices]
    alike, others = (np.concatenate(parts) for parts in zip(*of_episodes, strict=True))
    if min(len(alike), len(others)) < FEWEST:
        return SettledBand(None, len(alike), len(others))
    limit = min(np.quantile(alike, ALIKE_SHARE), np.quantile(others, FALSE_SHARE))
    band = float(f"{limit:.3g}")
    shares = (float((pairs <= band).mean().round(5)) for pairs in (alike, others))
    return SettledBand(band or None, len(alike), len(others), *shares)


def _pairs(latents: np.ndarray, episodes: Episodes, number: int, energy: Energy) -> tuple[np.ndarray, np.ndarray]:
    """Energies between two moments of an episode, of those that are alike and of those that are not."""
    states, places = episodes.states[number], episodes.object_pose[number][:, :3]
    gripper, alike, others = states[:, [GRIPPER, MEASURED]], [], []
    for first in range(len(latents) - 1):
        later = slice(first + 1, None)
        tcp_m, object_m = (np.linalg.norm(x[later] - x[first], axis=-1) for x in (states[:, XYZ], places))
        since = gripper[first:]
        span = np.maximum.accumulate(since, axis=0) - np.minimum.accumulate(since, axis=0)
        is_still = span[1:].max(axis=-1) <= SAME_CLOSURE
        apart = torch.from_numpy(latents[later] - latents[first]).float()[:, None]
        energies = energy(apart, torch.zeros_like(apart[0, 0]), torch.zeros(1)).numpy()
        alike.append(energies[(tcp_m <= SAME_TCP_M) & is_still])
        others.append(energies[(tcp_m > OTHER_TCP_M) | (object_m > OTHER_OBJECT_M)])
    return np.concatenate(alike), np.concatenate(others)
