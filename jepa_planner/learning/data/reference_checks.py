"""Whether pictures are those that a model knows: colours in its order, views in its places, poses in its frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.data.finding import Finding, warned
from jepa_planner.learning.data.images_on_disk import Images, frames_at
from jepa_planner.model.contract import Contract
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel

FRAMES = 64
NEARER = 0.9
"""Pictures that are so much nearer to the model's own in another order were recorded in that one."""


def check_in_distribution(model: WorldModel, known: LatentStatistics | None, images: Images) -> Iterator[Finding]:
    """What may be wrong with pictures [E, T, V, H, W, 3] of the model's views; nothing is known without `known`."""
    if known is None:
        return
    count = images.shape[0] * images.shape[1]
    some = frames_at(images, np.linspace(0, count - 1, min(FRAMES, count)).astype(int))
    orders = {"red and blue exchanged (BGR?)": some[..., ::-1]}
    if images.shape[2] == 2:
        orders["its two views exchanged"] = some[:, ::-1]
    as_given = _distance(model, known, some)
    for order, other in orders.items():
        if (distance := _distance(model, known, np.ascontiguousarray(other))) < NEARER * as_given:
            yield warned(
                f"the pictures are like those that {model.contract.name} knows with {order}: {distance:.2f} from them "
                f"instead of {as_given:.2f} (its own: about 1)"
            )


def frames_of(episodes: Episodes, chosen: tuple[str, str], init: Contract | None = None) -> tuple[str, str]:
    """What poses are given in and of: as chosen, which is told where the files say otherwise, else as the files say.

    Raises EpisodeError where neither says, or where that is not what the model to begin with knows and was not chosen.
    """
    names = []
    for option, given, said, known in (
        ("--base-frame", chosen[0], episodes.frame, init and init.state.frame),
        ("--tcp-frame", chosen[1], episodes.tcp_frame, init and init.state.tcp_frame),
    ):
        if not (given or said):
            raise EpisodeError(
                f"the episodes do not say what their poses are {'given in' if option == '--base-frame' else 'of'}: "
                f"name it with {option}, as your robot calls it (the simulator's are panda_link0 and tcp)"
            )
        if given and said and given != said:
            print(f"warning: the episodes' poses are {said!r}, taken as {given!r}: so {option} says", file=sys.stderr)
        if init is not None and known and not given and said != known:
            raise EpisodeError(
                f"the episodes' poses are {said!r}, those of {init.name} {known!r}: if that is meant, {option} {said}"
            )
        names.append(given or said)
    return names[0], names[1]


def check_frames(episodes: Episodes, contract: Contract) -> None:
    """For what stays a part of the model; raises ContractError where poses are of other frames than the model's."""
    contract.check_frame(episodes.frame or None, episodes.tcp_frame or None)
    if not (episodes.frame and episodes.tcp_frame):
        frames = f"{contract.state.tcp_frame} in {contract.state.frame}"
        print(f"warning: the episodes do not name their frames; taken as the model's, {frames}", file=sys.stderr)


def _distance(model: WorldModel, known: LatentStatistics, pictures: np.ndarray) -> float:
    return float(known.distance(model.encode(pictures).cpu()).mean())
