import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from small_models import (
    KEYPOINTS,
    slot_encoder_config,
    small_contract,
    small_encoder,
    small_predictor,
    small_sub_goal_head,
    small_sub_goal_spec,
    small_verdict_head,
    small_verdict_spec,
    small_world_model,
    sub_goal_head_config,
    verdict_head_config,
)

from jepa_planner.core import shipped
from jepa_planner.core.observation import Observation
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.model.bundle import (
    add_sub_goal_head,
    add_verdict_head,
    load_bundle,
    load_contract,
    load_sub_goal_head,
    load_verdict_head,
    model_folder,
    save_bundle,
    write_bundle,
    write_planner,
)
from jepa_planner.model.bundle_files import BundleError, sha256
from jepa_planner.model.contract import FORMAT, ContractError
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.world_model import WorldModel

PLANNER = {"reached_energy": 0.2}
"""Plain data, which is planning's to understand."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    model = small_world_model()
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    write_planner(folder, PLANNER)
    return folder


@pytest.fixture
def bundle(saved, tmp_path) -> Path:
    return shutil.copytree(saved, tmp_path / "small")


def edit(bundle: Path, change: Callable[[dict], None]) -> None:
    path = bundle / "model.yaml"
    contract = yaml.safe_load(path.read_text())
    change(contract)
    path.write_text(yaml.safe_dump(contract))


@pytest.mark.parametrize("kind", ["transformer", "mlp"])
def test_a_bundle_gives_back_what_was_saved(kind, tmp_path):
    model, bundle = small_world_model(kind=kind), tmp_path / "bundle"
    save_bundle(bundle, model.encoder, model.predictor, model.contract)
    encoder, predictor, contract = load_bundle(bundle)
    for saved, loaded in ((model.encoder, encoder), (model.predictor, predictor)):
        for name, tensor in saved.state_dict().items():
            assert torch.equal(tensor, loaded.state_dict()[name]), name
        assert not loaded.training
    assert set(contract.files) == {"encoder.safetensors", "predictor.safetensors"}


@pytest.fixture
def any_view_bundle(tmp_path) -> Path:
    encoder, model = small_encoder(any_view=True), small_world_model()
    contract = small_contract(encoder=encoder.config)
    save_bundle(tmp_path / "any", encoder, model.predictor, contract)
    return tmp_path / "any"


def test_a_model_may_be_loaded_for_the_cameras_that_are_there(any_view_bundle):
    both, side = WorldModel.load(any_view_bundle), WorldModel.load(any_view_bundle, views=["side"])
    assert side.contract.image.views == ("side",) == load_contract(any_view_bundle, ["side"]).image.views
    pictures = torch.randint(0, 255, (2, 2, 32, 32, 3), dtype=torch.uint8)
    assert side.encode(pictures[:, [1]]).shape == both.encode(pictures).shape
    with pytest.raises(ContractError, match=r"image\.views: 2 given; this model needs 1, in order: side"):
        side.encode(pictures)
    everything = WorldModel.load(any_view_bundle, views=["side", "front"])
    torch.testing.assert_close(everything.encode(pictures), both.encode(pictures))


def test_cameras_that_a_model_lacks_or_cannot_do_without_are_named(bundle, any_view_bundle):
    with pytest.raises(ContractError, match=r"image\.views: 'wrist' given; this model has front, side"):
        WorldModel.load(any_view_bundle, views=["wrist"])
    with pytest.raises(ContractError, match=r"image\.views: front given; this model needs all of front, side"):
        WorldModel.load(bundle, views=["front"])
    with pytest.raises(ValueError, match="backend onnx has an encoder for all views"):
        WorldModel.load(any_view_bundle, backend="onnx", views=["front"])


def test_half_precision_on_disk_loads_as_float32(tmp_path):
    model = small_world_model()
    save_bundle(tmp_path, model.encoder, model.predictor, model.contract, torch.float16)
    _, predictor, _ = load_bundle(tmp_path)
    weight, loaded = model.predictor.predictor_proj.weight, predictor.predictor_proj.weight
    assert loaded.dtype == torch.float32
    assert 0 < (weight - loaded).abs().max() < 1e-3


def test_weights_of_other_sizes_than_the_contract_are_not_saved(tmp_path):
    with pytest.raises(BundleError, match="sizes are not those in the contract"):
        save_bundle(tmp_path, VideoEncoder(slot_encoder_config(depth=1)), small_predictor(), small_contract())


def test_a_bundle_that_says_no_kind_of_predictor_holds_a_transformer(bundle):
    edit(bundle, lambda contract: contract["predictor"].pop("kind"))
    assert load_bundle(bundle)[1].config == small_contract().predictor


def test_weights_of_another_kind_of_predictor_are_refused_by_name(bundle):
    model = small_world_model(kind="mlp")
    edit(bundle, lambda contract: contract.update(predictor=to_plain(model.contract.predictor)))
    with pytest.raises(BundleError, match=r"predictor\.safetensors: missing blocks\.0\.mlp\.fc1\.bias \[32\]; "):
        load_bundle(bundle)


def test_a_folder_without_contract_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"model\.yaml: no such file"):
        load_bundle(tmp_path / "nowhere")


def test_one_changed_byte_is_refused_with_both_hashes(bundle):
    path = bundle / "predictor.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"predictor\.safetensors: sha256 is \w{64}, but model\.yaml says \w{64}"):
        load_bundle(bundle)


def test_a_wrong_hash_in_the_contract_is_refused(bundle):
    edit(bundle, lambda contract: contract["files"].update({"encoder.safetensors": "0" * 64}))
    with pytest.raises(BundleError, match=r"encoder\.safetensors: sha256"):
        load_bundle(bundle)


def test_a_missing_weight_file_is_refused(bundle):
    (bundle / "encoder.safetensors").unlink()
    with pytest.raises(BundleError, match=r"encoder\.safetensors: listed under files .* no such file"):
        load_bundle(bundle)


def test_weights_without_a_hash_are_refused(bundle):
    edit(bundle, lambda contract: contract["files"].pop("predictor.safetensors"))
    with pytest.raises(BundleError, match=r"files: missing predictor\.safetensors"):
        load_bundle(bundle)


@pytest.mark.parametrize("kind", ["relative", "absolute", "link"])
def test_a_path_that_leaves_the_folder_is_refused(bundle, kind):
    outside = bundle.parent / "outside.bin"
    outside.write_bytes(b"x")
    name = {"relative": "../outside.bin", "absolute": str(outside), "link": "inside.bin"}[kind]
    if kind == "link":
        (bundle / name).symlink_to(outside)
    edit(bundle, lambda contract: contract["files"].update({name: sha256(outside)}))
    with pytest.raises(BundleError, match="leaves the bundle's folder"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(colour="red"), "unknown field colour"),
        (lambda c: c["image"].update(zoom=2), "image: unknown field zoom"),
        (lambda c: c["state"].pop("frame"), "state: missing field frame"),
        (lambda c: c.pop("licence"), "missing field licence"),
        (lambda c: c["image"].update(height="tall"), "image.height: expected int, got 'tall'"),
        (lambda c: c["image"].update(crop="squeeze"), "image.crop: expected one of 'centre'"),
        (lambda c: c.update(format="two"), "format: expected int, got 'two'"),
        (lambda c: c.update(format=0), f"format: must lie in 1 to {FORMAT}"),
    ],
)
def test_a_bad_field_of_the_contract_is_named(bundle, change, message):
    edit(bundle, change)
    with pytest.raises(BundleError, match=message):
        load_contract(bundle)


def test_a_bundle_of_a_newer_format_is_refused_as_such_whatever_else_it_holds(bundle):
    edit(bundle, lambda contract: contract.update(format=FORMAT + 1, feelings="mixed"))
    with pytest.raises(BundleError) as refused:
        load_contract(bundle)
    path, newer = bundle / "model.yaml", f"format {FORMAT + 1}, this one reads up to {FORMAT}"
    assert str(refused.value) == f"{path}: made by a newer jepa_planner ({newer}): update"


def test_a_bundle_of_an_older_format_is_read_and_written_as_the_present_one(bundle):
    edit(bundle, lambda contract: contract.update(format=1))
    assert load_contract(bundle).format == 1
    spec = OutOfDistributionSpec(latent_distance=1.0, arm_error_m=0.1, surprise=1.0, data="none")
    written = write_bundle(bundle, replace(load_contract(bundle), out_of_distribution=spec), {}, torch.float32)
    assert written.format == FORMAT and f"\nformat: {FORMAT}\n" in (bundle / "model.yaml").read_text()


def test_a_model_of_ones_own_beside_the_shipped_one_does_not_become_the_default(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    for name in ("a-model-of-mine", "panda-tabletop", "zebra"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.yaml").touch()
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "jepa_planner")
    assert model_folder() == tmp_path / "models" / "panda-tabletop"
    shutil.rmtree(tmp_path / "models" / "panda-tabletop")
    with pytest.raises(
        BundleError, match=r"models/panda-tabletop of jepa_planner was found at none of .*name the folder"
    ):
        model_folder()


def test_a_model_that_ships_may_be_named_unless_a_folder_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (model_folder("panda-tabletop") / "model.yaml").is_file()
    assert model_folder("nowhere") == Path("nowhere")
    (tmp_path / "panda-tabletop").mkdir()
    assert model_folder("panda-tabletop") == Path("panda-tabletop")


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a: [", "\x00", "!!python/object/apply:os.system ['true']", "", "format: 2\nformat: 2"]
)
def test_text_that_is_no_contract_is_refused(bundle, text):
    (bundle / "model.yaml").write_text(text)
    with pytest.raises(BundleError, match=r"model\.yaml"):
        load_contract(bundle)


def test_a_field_that_stands_twice_is_named_rather_than_the_first_passed_over(bundle):
    path = bundle / "model.yaml"
    path.write_text("format: 2\n" + path.read_text())
    with pytest.raises(BundleError, match=r"model\.yaml: format stands twice in one place, the second time in line"):
        load_contract(bundle)


def test_a_huge_contract_is_not_read(bundle):
    (bundle / "model.yaml").write_text("#" * 1_000_001)
    with pytest.raises(BundleError, match="1000001 bytes"):
        load_contract(bundle)


def test_a_file_that_is_not_safetensors_is_refused(bundle):
    path = bundle / "encoder.safetensors"
    path.write_bytes(b"not weights")
    edit(bundle, lambda contract: contract["files"].update({path.name: sha256(path)}))
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(bundle)


def test_tensors_of_another_shape_are_named(bundle):
    edit(bundle, lambda contract: contract["encoder"].update(mlp_hidden=40))
    with pytest.raises(BundleError, match=r"misshapen blocks\.0\.mlp\.fc1\.weight: \[32, 24\], expected \[40, 24\]"):
        load_bundle(bundle)


def test_a_head_that_imagines_sub_goals_is_added_to_a_bundle_and_given_back(bundle):
    assert load_sub_goal_head(bundle) is None
    before, head, spec = load_contract(bundle), small_sub_goal_head(), small_sub_goal_spec()
    add_sub_goal_head(bundle, bundle, head, spec)
    contract = load_contract(bundle)
    assert contract.sub_goals == spec
    assert contract.files == before.files | {"sub_goals.safetensors": sha256(bundle / "sub_goals.safetensors")}
    loaded = load_sub_goal_head(bundle)
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    load_bundle(bundle)


def test_a_head_is_added_to_a_copy_and_the_first_bundle_stays_as_it_was(bundle, tmp_path):
    before = (bundle / "model.yaml").read_bytes()
    add_sub_goal_head(bundle, tmp_path / "copy", small_sub_goal_head(), small_sub_goal_spec())
    assert (bundle / "model.yaml").read_bytes() == before
    assert load_sub_goal_head(bundle) is None
    load_bundle(tmp_path / "copy")
    assert load_sub_goal_head(tmp_path / "copy") is not None


def test_a_second_head_takes_the_place_of_the_first(bundle, tmp_path):
    for seed, folder in ((0, tmp_path / "first"), (1, tmp_path / "second")):
        add_sub_goal_head(bundle, folder, small_sub_goal_head(seed), small_sub_goal_spec())
        bundle = folder
    weight = load_sub_goal_head(bundle).embed.weight
    assert torch.equal(weight, small_sub_goal_head(1).embed.weight)


def test_a_head_is_stored_in_the_type_of_the_encoder(tmp_path):
    model = small_world_model()
    save_bundle(tmp_path, model.encoder, model.predictor, model.contract, torch.float16)
    write_planner(tmp_path, PLANNER)
    add_sub_goal_head(tmp_path, tmp_path, small_sub_goal_head(), small_sub_goal_spec())
    loaded = load_sub_goal_head(tmp_path).embed.weight
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, small_sub_goal_head().embed.weight.half().float())


def test_a_head_of_other_sizes_than_its_contract_is_not_added(bundle):
    before = (bundle / "model.yaml").read_bytes()
    with pytest.raises(BundleError, match="sub_goals: the head's sizes are not those in the contract"):
        add_sub_goal_head(bundle, bundle, small_sub_goal_head(width=8), small_sub_goal_spec())
    assert (bundle / "model.yaml").read_bytes() == before


@pytest.mark.parametrize("load", [load_bundle, load_sub_goal_head])
def test_a_head_that_is_missing_or_altered_is_refused_by_name(bundle, load):
    add_sub_goal_head(bundle, bundle, small_sub_goal_head(), small_sub_goal_spec())
    path = bundle / "sub_goals.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"sub_goals\.safetensors: sha256 is"):
        load(bundle)
    path.unlink()
    with pytest.raises(BundleError, match=r"sub_goals\.safetensors: listed under files"):
        load(bundle)
    edit(bundle, lambda contract: contract["files"].pop("sub_goals.safetensors"))
    with pytest.raises(BundleError, match=r"files: missing sub_goals\.safetensors"):
        load(bundle)


def test_a_head_for_other_latents_than_the_models_is_refused_by_name(bundle):
    spec = small_sub_goal_spec(head=sub_goal_head_config(latent_tokens=5))
    with pytest.raises(ValueError, match=r"sub_goals\.head\.latent_tokens: 5 does not fit"):
        add_sub_goal_head(bundle, bundle, small_sub_goal_head(latent_tokens=5), spec)


def test_contracts_written_before_there_were_sub_goals_still_load(bundle):
    edit(bundle, lambda contract: contract.pop("sub_goals"))
    assert load_bundle(bundle)[2].sub_goals is None


def test_a_head_that_tells_when_the_work_is_done_is_added_beside_the_other_and_given_back(bundle):
    assert load_verdict_head(bundle) is None
    add_sub_goal_head(bundle, bundle, small_sub_goal_head(), small_sub_goal_spec())
    before, head, spec = load_contract(bundle), small_verdict_head(), small_verdict_spec()
    head.set_temperature(1.5)
    add_verdict_head(bundle, bundle, head, spec)
    contract = load_contract(bundle)
    assert contract.verdict == spec and contract.sub_goals == before.sub_goals
    assert contract.files == before.files | {"verdict.safetensors": sha256(bundle / "verdict.safetensors")}
    loaded = load_verdict_head(bundle)
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    load_bundle(bundle)


def test_a_head_for_verdicts_of_other_sizes_than_its_contract_is_not_added(bundle):
    before = (bundle / "model.yaml").read_bytes()
    with pytest.raises(BundleError, match="verdict: the head's sizes are not those in the contract"):
        add_verdict_head(bundle, bundle, small_verdict_head(width=8), small_verdict_spec())
    assert (bundle / "model.yaml").read_bytes() == before


@pytest.mark.parametrize("load", [load_bundle, load_verdict_head])
def test_a_head_for_verdicts_that_is_missing_or_altered_is_refused_by_name(bundle, load):
    add_verdict_head(bundle, bundle, small_verdict_head(), small_verdict_spec())
    path = bundle / "verdict.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"verdict\.safetensors: sha256 is"):
        load(bundle)
    path.unlink()
    with pytest.raises(BundleError, match=r"verdict\.safetensors: listed under files"):
        load(bundle)


def test_a_verdict_through_one_of_two_cameras_is_that_of_a_head_with_keypoints_one(tmp_path):
    model = small_world_model()
    contract = replace(model.contract, encoder=slot_encoder_config(any_view=True))
    save_bundle(tmp_path, small_encoder(any_view=True), model.predictor, contract)
    write_planner(tmp_path, PLANNER)
    head = small_verdict_head(scene=KEYPOINTS)
    add_verdict_head(tmp_path, tmp_path, head, small_verdict_spec(head=verdict_head_config(scene=KEYPOINTS)))
    one = load_contract(tmp_path, ["side"])
    assert one.looks_at_images
    generator = torch.Generator().manual_seed(0)
    latent = torch.rand(1, one.latent.tokens, one.latent.channels, generator=generator)
    seen = Observation(latent, torch.rand(1, 1, 3, *KEYPOINTS.image_size, generator=generator), torch.zeros(1, 8))
    loaded = load_verdict_head(tmp_path, ["side"])(seen, seen)
    assert torch.equal(loaded.logits, head.of_views([1])(seen, seen).logits)
