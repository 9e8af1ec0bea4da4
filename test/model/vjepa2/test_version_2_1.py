"""V-JEPA 2.1: a tiny checkpoint of random weights, and what its makers' own classes (204698b) computed with it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_encoder
from jepa_planner.model.vjepa2.foreign_weights import CheckpointError, FoundModel, infer_encoder
from jepa_planner.model.vjepa2.version_2_1 import as_version_2, is_version_2_1, with_its_positions

DATA = Path(__file__).resolve().parents[2] / "data"
CHECKPOINT = DATA / "vjepa2_1_tiny.pt"
SIZE, HEAD_WIDTH = (64, 64), 12


def find(path: Path = CHECKPOINT, **changes) -> FoundModel:
    return find_vjepa2_encoder(path, **{"image_size": SIZE, "head_width": HEAD_WIDTH} | changes)


def loaded(found: FoundModel) -> VideoEncoder:
    encoder = VideoEncoder(found.encoder_config).eval()
    encoder.load_state_dict({name: parts[0] for name, parts in found.encoder.items()})
    return encoder


def changed(tmp_path: Path, part: str = "target_encoder", **changes) -> Path:
    """The checkpoint with tensors of one part replaced, added or (None) left out."""
    parts = torch.load(CHECKPOINT, weights_only=True)
    parts[part] = dict(parts[part])
    for name, tensor in changes.items():
        name = "module.backbone." + name.replace("__", ".")
        parts[part].pop(name, None)
        if tensor is not None:
            parts[part][name] = tensor
    torch.save(parts, tmp_path / "changed.pt")
    return tmp_path / "changed.pt"


@pytest.mark.parametrize("embedding", ["picture", "video"])
def test_tokens_are_those_of_the_published_classes(embedding):
    vectors = np.load(DATA / "vjepa2_1_tiny_vectors.npz")
    with torch.inference_mode():
        tokens = loaded(find(embedding=embedding)).tokens(torch.from_numpy(vectors["clip"])[:, None])
    assert np.abs(tokens.numpy() - vectors[f"{embedding}_tokens"]).max() < 2e-5


def test_a_frame_is_seen_as_a_picture_unless_asked_otherwise():
    assert find().encoder_config.tubelet_size == 1
    assert find(embedding="video").encoder_config.tubelet_size == 2


@pytest.mark.parametrize(
    ("width", "depth", "hidden", "heads"),
    [(768, 12, 3072, 12), (1024, 24, 4096, 16), (1408, 40, 6144, 22), (1664, 48, 8192, 26)],
    ids=["ViT-B", "ViT-L", "ViT-g", "ViT-G"],
)
def test_the_released_encoders_have_the_published_sizes(width, depth, hidden, heads):
    shapes = {f"blocks.{block}.mlp.fc1.weight": (hidden, width) for block in range(depth)}
    shapes |= {f"norms_block.{n}.{part}": (width,) for n in range(4) for part in ("weight", "bias")}
    shapes |= {"patch_embed.proj.weight": (width, 3, 2, 16, 16), "patch_embed_img.proj.weight": (width, 3, 1, 16, 16)}
    shapes |= {"img_mod_embed": (1, 1, width), "video_mod_embed": (1, 1, width)}
    weights = {name: (torch.empty(shape, device="meta"),) for name, shape in shapes.items()}
    assert is_version_2_1(weights)
    config = with_its_positions(infer_encoder(as_version_2(weights), (384, 384)))
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (width, depth, heads, hidden)
    assert (config.latent_tokens, config.rotary, config.rotary_grid) == (576, "paired", 16)


def test_pictures_have_384_pixels_unless_told_otherwise():
    assert find(image_size=None).encoder_config.image_size == (384, 384)


def test_the_encoder_is_looked_for_where_its_makers_look(tmp_path):
    averaged = torch.full((24,), 7.0)
    assert torch.equal(find(changed(tmp_path, norms_block__3__bias=averaged)).encoder["norm.bias"][0], averaged)
    found = find(changed(tmp_path, norms_block__3__bias=averaged), key="encoder")
    assert not torch.equal(found.encoder["norm.bias"][0], averaged)


def test_a_distilled_models_encoder_is_the_averaged_one(tmp_path):
    parts = torch.load(CHECKPOINT, weights_only=True)
    torch.save({"ema_encoder": parts["encoder"]}, tmp_path / "distilled.pt")
    assert torch.equal(find(tmp_path / "distilled.pt").encoder["norm.bias"][0], find().encoder["norm.bias"][0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"img_mod_embed": None}, "missing img_mod_embed"),
        ({"patch_embed_img__proj__bias": None}, "patch_embed.proj.bias"),
        ({"norms_block__3__bias": None}, "norm.bias"),
        ({"cls_token": torch.zeros(1, 1, 24)}, "cls_token"),
        ({"blocks__3__attn__qkv__weight": torch.zeros(5, 24)}, "blocks.3.attn.qkv.weight"),
    ],
)
def test_what_is_missing_unknown_or_misshapen_is_named(tmp_path, changes, named):
    with pytest.raises(CheckpointError, match=named):
        find(changed(tmp_path, **changes))


def test_an_encoder_with_one_embedding_has_none_to_choose():
    with pytest.raises(CheckpointError, match=r"only V-JEPA 2\.1 has one for each"):
        find_vjepa2_encoder(DATA / "vjepa2_ac_tiny.pt", SIZE, embedding="picture")
