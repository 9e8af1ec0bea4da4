from pathlib import Path

import pytest
import torch
from reference_vectors import CHECKPOINT, SIZE

from jepa_planner.world_model.vjepa2_ac_checkpoint import (
    CheckpointError,
    infer_encoder,
    infer_predictor,
    load_checkpoint,
)


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


def test_sizes_are_inferred_from_the_tensors():
    encoder, predictor = load_checkpoint(CHECKPOINT, SIZE)
    config = encoder.config
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (128, 2, 2, 558)
    assert (config.patch_size, config.tubelet_size, config.grid) == (16, 2, (4, 4))
    config = predictor.config
    assert (config.width, config.depth, config.heads, config.mlp_hidden) == (64, 2, 1, 256)
    assert (config.latent_channels, config.state_dim, config.action_dim, config.extrinsics) == (128, 7, 7, True)


def test_the_released_model_has_the_published_sizes():
    with torch.device("meta"):
        encoder = {
            "patch_embed.proj.weight": torch.empty(1408, 3, 2, 16, 16),
            **{f"blocks.{i}.mlp.fc1.weight": torch.empty(6144, 1408) for i in range(40)},
        }
        predictor = {
            "predictor_embed.weight": torch.empty(1024, 1408),
            "state_encoder.weight": torch.empty(1024, 7),
            "action_encoder.weight": torch.empty(1024, 7),
            **{f"predictor_blocks.{i}.mlp.fc1.weight": torch.empty(4096, 1024) for i in range(24)},
        }
    config = infer_encoder(encoder, (256, 256))
    assert (config.width, config.depth, config.heads, config.latent_tokens) == (1408, 40, 22, 256)
    config = infer_predictor(predictor, config.grid)
    assert (config.width, config.depth, config.heads, config.max_steps) == (1024, 24, 16, 32)


def test_models_are_ready_to_use():
    encoder, predictor = load_checkpoint(CHECKPOINT, SIZE)
    assert not encoder.training and not predictor.training
    for module in (encoder, predictor):
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            assert tensor.device.type == "cpu", name


def test_an_old_position_table_is_ignored(tmp_path):
    load_checkpoint(checkpoint_with(tmp_path, "encoder", pos_embed=torch.zeros(1, 16, 128)), SIZE)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("encoder", {"norm__bias": None}, r"encoder: missing norm\.bias \[128\]"),
        ("encoder", {"extra": torch.zeros(2)}, r"encoder: unexpected extra \[2\]"),
        ("predictor", {"predictor_proj__bias": torch.zeros(3)}, r"predictor_proj\.bias: \[3\], expected \[128\]"),
        ("encoder", {"patch_embed__proj__weight": None}, r"encoder: missing patch_embed\.proj\.weight"),
        ("predictor", {"state_encoder__weight": None}, r"predictor: missing state_encoder\.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, part, changes, message):
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(checkpoint_with(tmp_path, part, **changes), SIZE)


def test_all_misfits_are_named_at_once(tmp_path):
    path = checkpoint_with(tmp_path, "encoder", norm__bias=None, extra=torch.zeros(2))
    with pytest.raises(CheckpointError, match=r"missing norm\.bias.*unexpected extra"):
        load_checkpoint(path, SIZE)


def test_a_head_width_that_does_not_fit_is_refused():
    with pytest.raises(CheckpointError, match="width 128 is no multiple of head width 80"):
        load_checkpoint(CHECKPOINT, SIZE, encoder_head_width=80)


def test_a_checkpoint_without_predictor_is_refused(tmp_path):
    torch.save({"encoder": {}}, tmp_path / "half.pt")
    with pytest.raises(CheckpointError, match="no 'predictor'; it holds encoder"):
        load_checkpoint(tmp_path / "half.pt", SIZE)


class Malicious:
    def __reduce__(self):
        return (print, ("code ran while a checkpoint was loaded",))


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"encoder": Malicious(), "predictor": {}}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="weights only"):
        load_checkpoint(tmp_path / "bad.pt", SIZE)
    assert "code ran" not in capsys.readouterr().out


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "text.pt", SIZE)
