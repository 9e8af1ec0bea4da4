from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from reference_vectors import CHECKPOINT, SIZE

from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac, find_vjepa2_encoder
from jepa_planner.model.vjepa2.foreign_weights import CheckpointError, FoundModel, infer_encoder, infer_predictor


def checkpoint_with(tmp_path: Path, part: str, **changes) -> Path:
    """The tiny checkpoint with some tensors replaced, added or (None) left out."""
    parts = torch.load(CHECKPOINT, weights_only=True)
    for name, tensor in changes.items():
        name = "module." + ("backbone." if part == "encoder" else "") + name.replace("__", ".")
        parts[part].pop(name, None)
        if tensor is not None:
            parts[part][name] = tensor
    torch.save(parts, tmp_path / "changed.pt")
    return tmp_path / "changed.pt"


def find(path: Path) -> FoundModel:
    return find_vjepa2_ac(path, SIZE)


def on_meta(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[torch.Tensor]]:
    return {name: (torch.empty(shape, device="meta"),) for name, shape in shapes.items()}


def released_encoder(width: int, depth: int, hidden: int) -> dict[str, tuple[torch.Tensor]]:
    blocks = {f"blocks.{i}.mlp.fc1.weight": (hidden, width) for i in range(depth)}
    return on_meta({"patch_embed.proj.weight": (width, 3, 2, 16, 16), **blocks})


def test_sizes_are_inferred_from_the_tensors():
    found = find(CHECKPOINT)
    config = found.encoder_config
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (128, 2, 2, 558)
    assert (config.patch_size, config.tubelet_size, config.grid) == (16, 2, (4, 4))
    config = found.predictor_config
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (64, 2, 1, 256)
    assert (config.latent_channels, config.state_dim, config.action_dim, config.extrinsics) == (128, 7, 7, True)


@pytest.mark.parametrize(
    ("width", "depth", "hidden", "heads"),
    [(1024, 24, 4096, 16), (1280, 32, 5120, 16), (1408, 40, 6144, 22)],
    ids=["ViT-L", "ViT-H", "ViT-g"],
)
def test_the_released_encoders_have_the_published_sizes(width, depth, hidden, heads):
    config = infer_encoder(released_encoder(width, depth, hidden), (256, 256))
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (width, depth, heads, hidden)
    assert config.latent_tokens == 256


def test_the_released_predictor_has_the_published_sizes():
    blocks = {f"predictor_blocks.{i}.mlp.fc1.weight": (4096, 1024) for i in range(24)}
    maps = {
        "predictor_embed.weight": (1024, 1408),
        "state_encoder.weight": (1024, 7),
        "action_encoder.weight": (1024, 7),
    }
    config = infer_predictor(on_meta({**maps, **blocks}), (16, 16))
    assert (config.width, config.depth, config.heads, config.max_steps) == (1024, 24, 16, 32)


@pytest.mark.parametrize("key", ["encoder", "target_encoder"])
def test_an_encoder_is_found_alone(key):
    found = find_vjepa2_encoder(CHECKPOINT, SIZE, key=key)
    stored = torch.load(CHECKPOINT, weights_only=True)[key]["module.backbone.norm.weight"]
    assert torch.equal(found.encoder["norm.weight"][0], stored)
    assert found.predictor_config is None and not found.predictor


def test_an_old_position_table_is_ignored(tmp_path):
    assert "pos_embed" not in find(checkpoint_with(tmp_path, "encoder", pos_embed=torch.zeros(1, 16, 128))).encoder


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("encoder", {"norm__bias": None}, r"encoder: missing norm\.bias \[128\]"),
        ("encoder", {"extra": torch.zeros(2)}, r"encoder: unexpected extra \[2\]"),
        ("predictor", {"predictor_proj__bias": torch.zeros(3)}, r"predictor_proj\.bias: \[3\], expected \[128\]"),
        ("encoder", {"patch_embed__proj__weight": None}, r"encoder: missing patch_embed\.proj\.weight"),
        ("encoder", {"patch_embed__proj__weight": torch.zeros(128, 3, 2, 0, 0)}, r"missing patch_embed\.proj\.weight"),
        ("encoder", {"norm__bias": torch.zeros(128, dtype=torch.int8)}, r"norm\.bias holds torch\.int8"),
        ("encoder", {"norm__bias": 3}, r"norm\.bias' is a int; expected tensors"),
        ("predictor", {"state_encoder__weight": None}, r"predictor: missing state_encoder\.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, part, changes, message):
    with pytest.raises(CheckpointError, match=message):
        find(checkpoint_with(tmp_path, part, **changes))


def test_all_misfits_are_named_at_once(tmp_path):
    path = checkpoint_with(tmp_path, "encoder", norm__bias=None, extra=torch.zeros(2))
    with pytest.raises(CheckpointError, match=r"missing norm\.bias.*unexpected extra"):
        find(path)


def test_a_head_width_that_does_not_fit_is_refused():
    with pytest.raises(CheckpointError, match="width 128 is no multiple of head width 80"):
        find_vjepa2_ac(CHECKPOINT, SIZE, encoder_head_width=80)


def test_an_image_size_that_does_not_fit_is_refused():
    with pytest.raises(CheckpointError, match=r"image_size is \(65, 64\); expected multiples of 16"):
        find_vjepa2_ac(CHECKPOINT, (65, 64))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"encoder": {}}, "no 'predictor'; it holds encoder"),
        ([torch.zeros(2)], "holds a list; expected a dict"),
        ({"encoder": {}, "predictor": {}}, "missing patch_embed"),
    ],
)
def test_a_file_with_other_content_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=message):
        find(tmp_path / "other.pt")


class Malicious:
    def __reduce__(self):
        return (print, ("code ran while a checkpoint was loaded",))


@pytest.mark.parametrize("where", ["encoder", "opt"])
def test_a_file_that_would_run_code_is_refused(tmp_path, capsys, where):
    torch.save({"encoder": {}, "predictor": {}, where: Malicious()}, tmp_path / "bad.pt")
    with pytest.raises(
        CheckpointError, match=r"more than weights \(print\), and loading it would run code: refused"
    ) as e:
        find(tmp_path / "bad.pt")
    assert "code ran" not in capsys.readouterr().out
    assert "weights_only" not in str(e.value)


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


@pytest.mark.parametrize(
    "change",
    [cut(0.0), cut(0.5), cut(0.999), lambda data: b"hello"],
    ids=["empty", "half", "all but its end", "text"],
)
def test_a_file_that_is_cut_short_or_of_another_kind_is_refused(tmp_path, change):
    (tmp_path / "cut.pt").write_bytes(change(CHECKPOINT.read_bytes()))
    with pytest.raises(CheckpointError, match="cut short: its zip directory is missing"):
        find(tmp_path / "cut.pt")


def test_a_file_that_cannot_be_opened_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        find(tmp_path / "nowhere.pt")
