"""Our encoder beside the implementation of Hugging Face, with random weights at a small size."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from reference_vectors import relative_error
from safetensors.torch import load_file, save_file

from jepa_planner.model.bundle import load_contract, load_encoder
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.foreign_weights import CheckpointError
from jepa_planner.model.vjepa2.hugging_face import find_hf_encoder
from jepa_planner.model.vjepa2.import_bundle import import_bundle

os.environ["HF_HUB_OFFLINE"] = "1"
HEAD_WIDTHS = (64, 40)
"""40 leaves channels of the head unrotated, as 64 does, but in another number."""


def hugging_face_model(head_width: int = 64):
    """With weights and biases large enough that every one of them shows in the features."""
    from transformers import VJEPA2Config, VJEPA2Model

    torch.manual_seed(0)
    config = VJEPA2Config(
        crop_size=64, frames_per_clip=2, hidden_size=2 * head_width, num_attention_heads=2, num_hidden_layers=3,
        mlp_ratio=48 / 11, pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1,
    )  # fmt: skip
    model = VJEPA2Model(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="module", params=HEAD_WIDTHS)
def model_and_folder(request, tmp_path_factory):
    model = hugging_face_model(request.param)
    folder = tmp_path_factory.mktemp("hf")
    model.save_pretrained(folder)
    return model, folder


@pytest.fixture
def folder(tmp_path, saved) -> Path:
    return shutil.copytree(saved, tmp_path / "hf")


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    hugging_face_model().save_pretrained(folder)
    return folder


def change_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in changes.items():
        del tensors[name.replace("__", ".")]
        if tensor is not None:
            tensors[name.replace("__", ".")] = tensor
    save_file(tensors, folder / "model.safetensors")


@torch.inference_mode()
def test_features_equal_those_of_hugging_face(model_and_folder, tmp_path):
    model, folder = model_and_folder
    found = find_hf_encoder(folder)
    import_bundle(found, vjepa2_contract(found, ImportSettings(name="hf"), ""), {}, tmp_path / "out", torch.float32)
    encoder, _ = load_encoder(tmp_path / "out")
    images = torch.randn(3, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = model.get_vision_features(images.expand(-1, 2, -1, -1, -1))  # one picture, twice in time
    assert relative_error(encoder.tokens(images), expected) < 1e-5


def test_sizes_come_from_tensors_and_config(model_and_folder):
    model, folder = model_and_folder
    config = find_hf_encoder(folder).encoder_config
    assert (config.width, config.depth, config.heads) == (model.config.hidden_size, 3, 2)
    assert (config.mlp_hidden, config.image_size) == (int(config.width * 48 / 11), (64, 64))


def test_one_file_alone_is_enough(folder):
    alone = find_hf_encoder(folder / "model.safetensors", (64, 64))
    assert alone.encoder_config == find_hf_encoder(folder).encoder_config


def test_weights_in_several_files_are_put_together(folder, tmp_path):
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    for number, part in enumerate((names[::2], names[1::2])):
        save_file({name: tensors[name] for name in part}, folder / f"model-{number}.safetensors")
    (folder / "model.safetensors").unlink()
    found = find_hf_encoder(folder)
    contract = vjepa2_contract(found, ImportSettings(name="hf"), "")
    import_bundle(found, contract, {}, tmp_path / "out", torch.float32)
    assert len(load_contract(tmp_path / "out").training.source_files) == 2


def test_a_model_with_a_classifier_on_top_gives_its_encoder(folder):
    tensors = {f"vjepa2.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    before = find_hf_encoder(folder)
    save_file({**tensors, "classifier.weight": torch.zeros(3, 3)}, folder / "model.safetensors")
    after = find_hf_encoder(folder)
    assert after.encoder_config == before.encoder_config and after.encoder.keys() == before.encoder.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder__layernorm__bias": None}, r"encoder: missing norm\.bias \[128\]"),
        (
            {"encoder__layer__1__attention__key__weight": None},
            r"missing blocks\.1\.attn\.qkv\.weight.*attention\.query",
        ),
        ({"encoder__layer__1__mlp__fc2__bias": torch.zeros(5)}, r"blocks\.1\.mlp\.fc2\.bias: \[5\], expected \[128\]"),
        (
            {"encoder__layer__0__attention__value__bias": torch.zeros(5)},
            r"unexpected .*layer\.0\.attention\.value\.bias",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, changes, message):
    change_tensors(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        find_hf_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "videomae"}, "model_type is 'videomae'; the V-JEPA 2 encoder has 'vjepa2'"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05"),
        ({"num_attention_heads": 0}, "config.json|division|modulo"),
        ({"crop_size": "large"}, "encoder|image_size|not"),
    ],
)
def test_settings_that_our_encoder_does_not_have_are_named(folder, changes, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(CheckpointError, match=message):
        find_hf_encoder(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config\.json: cannot be read"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "holds a list"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"holds no \*\.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"pt"), "not a safetensors file, or cut short"),
        (lambda folder: os.truncate(folder / "model.safetensors", 200_000), "not a safetensors file, or cut short"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folder, spoil, message):
    spoil(folder)
    with pytest.raises(CheckpointError, match=message):
        find_hf_encoder(folder)
