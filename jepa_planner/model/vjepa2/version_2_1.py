"""V-JEPA 2.1: an encoder of the same blocks, told from that of V-JEPA 2 by its tensors.

What differs: pictures and videos have patch embeddings of their own, each with a vector that says which it is; rotary
angles are laid out in pairs, over a grid of 16 patches whatever the size of the picture; four blocks have a LayerNorm
behind them, of which the last one's gives the tokens. (facebookresearch/vjepa2, commit 204698b, app/vjepa_2_1.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from torch import Tensor

from jepa_planner.model.encoder import EncoderConfig
from jepa_planner.model.weights_file import Weights

Embedding = Literal["picture", "video"]
IMAGE_SIZE = (384, 384)
ROTARY_GRID = 16
KEYS = ("ema_encoder", "target_encoder")
"""Where the published loader finds the encoder: the first where it was distilled, the second in its teachers."""
_EMBEDDINGS: dict[Embedding, tuple[str, str]] = {
    "picture": ("patch_embed_img.", "img_mod_embed"),
    "video": ("patch_embed.", "video_mod_embed"),
}
_NORM = re.compile(r"norms_block\.(\d+)\.(weight|bias)")


def is_version_2_1(weights: Weights) -> bool:
    """Whether tensors of an encoder are those of V-JEPA 2.1."""
    return any(_NORM.fullmatch(name) for name in weights)


def as_version_2(weights: Weights, embedding: Embedding = "picture") -> dict[str, Sequence[Tensor]]:
    """The same encoder under the names of V-JEPA 2's, with one of its two patch embeddings.

    picture: a frame is seen as a picture; video: as a video of one frame, repeated. The vector that says which goes
    into the bias. What is missing is left out, and what is not known keeps its name, so that a check finds both.
    Raises ValueError without that vector.
    """
    kept, kind = _EMBEDDINGS[embedding]
    last = max(int(match[1]) for name in weights if (match := _NORM.fullmatch(name)))
    renamed: dict[str, Sequence[Tensor]] = {}
    for name, parts in weights.items():
        norm = _NORM.fullmatch(name)
        if norm and int(norm[1]) == last:
            renamed[f"norm.{norm[2]}"] = parts
        elif name.startswith(kept):
            renamed[name.replace(kept, "patch_embed.")] = parts
        elif not (norm or any(name.startswith((prefix, vector)) for prefix, vector in _EMBEDDINGS.values())):
            renamed[name] = parts
    if kind not in weights:
        raise ValueError(f"encoder: missing {kind}, which the {embedding}s of V-JEPA 2.1 have")
    if "patch_embed.proj.bias" in renamed:
        renamed["patch_embed.proj.bias"] = (renamed["patch_embed.proj.bias"][0] + weights[kind][0].flatten(),)
    return renamed


def with_its_positions(config: EncoderConfig) -> EncoderConfig:
    """Sizes that were inferred of `as_version_2`, with the rotary positions of V-JEPA 2.1."""
    return replace(config, rotary="paired", rotary_grid=ROTARY_GRID)
