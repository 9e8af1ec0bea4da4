"""Whatever is read: a clear refusal, never a crash. FUZZ_EXAMPLES sets how many cases each test tries."""

import io
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from small_models import small_contract, small_predictor
from small_planner import small_planner

from jepa_planner.control.limits import LimitsError, SafetyLimits, shipped_config
from jepa_planner.core.image_message import LAYOUTS, ConversionError, rgb_pixels
from jepa_planner.core.picture_file import read_picture
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episodes import EpisodeError, Episodes, read_episodes, write_shard
from jepa_planner.model.bundle import load_bundle, load_contract, save_bundle
from jepa_planner.model.bundle_files import BundleError, sha256
from jepa_planner.model.encoder import VideoEncoder

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8))
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def spots(size: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Bytes to change: where, and to what."""
    return st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, 255)), min_size=1, max_size=20)


def harmed(content: bytes, changes: list[tuple[int, int]], keep: int) -> bytes:
    """Content with bytes changed and cut short, at most, to `keep` bytes."""
    spoilt = bytearray(content)
    for place, value in changes:
        spoilt[place] = value
    return bytes(spoilt[:keep])


@FUZZ
@given(
    st.one_of(st.sampled_from([*LAYOUTS]), st.text(max_size=6)),
    st.integers(-1, 12) | st.integers(0, 2**32), st.integers(-1, 12) | st.integers(0, 2**32),
    st.integers(-1, 64) | st.integers(0, 2**32), st.binary(max_size=600),
)  # fmt: skip
def test_an_image_message_is_pixels_or_refused(encoding, height, width, step, data):
    try:
        pixels = rgb_pixels(encoding, height, width, step, data)
    except ConversionError:
        return
    assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8


SHIPPED_LIMITS = yaml.safe_load(shipped_config("panda_limits.yaml").read_text())


@FUZZ
@given(st.dictionaries(st.sampled_from([*SHIPPED_LIMITS, "unknown"]), ANYTHING, max_size=4), st.booleans())
def test_a_limits_file_holds_limits_or_is_refused(tmp_path_factory, changes, drop):
    fields = {**SHIPPED_LIMITS, **changes}
    if drop:
        fields.pop(next(iter(changes), "tcp_frame"), None)
    path = tmp_path_factory.getbasetemp() / "limits.yaml"
    path.write_text(yaml.dump(fields))
    try:
        limits = SafetyLimits.load(path)
    except LimitsError:
        return
    assert np.all(np.isfinite([*limits.workspace_min_m, *limits.workspace_max_m, limits.linear_velocity_m_s]))
    assert np.all(np.less(limits.workspace_min_m, limits.workspace_max_m))


@FUZZ
@given(st.binary(max_size=400))
def test_a_limits_file_of_any_bytes_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    with pytest.raises(LimitsError):
        SafetyLimits.load(path)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder, contract = tmp_path_factory.mktemp("fuzz") / "bundle", small_contract()
    torch.manual_seed(0)
    save_bundle(folder, VideoEncoder(contract.encoder), small_predictor(), contract)
    small_planner().save(folder)
    return folder


def leaves(plain: object, place: tuple = ()) -> list[tuple]:
    """Places of all fields in nested mappings."""
    if not isinstance(plain, dict):
        return [place]
    return [place, *(deeper for key, value in plain.items() for deeper in leaves(value, (*place, key)))][
        bool(not place) :
    ]


PLACES = leaves(to_plain(small_contract()))


@FUZZ
@given(st.sampled_from(PLACES), ANYTHING, st.sampled_from(["change", "drop", "add"]))
def test_a_contract_is_read_or_refused_with_its_file_named(bundle, tmp_path_factory, place, value, how):
    plain = yaml.safe_load((bundle / "model.yaml").read_text())
    parent = plain
    for key in place[:-1]:
        parent = parent[key]
    if how == "drop":
        parent.pop(place[-1], None)
    else:
        parent[place[-1] if how == "change" else "unheard_of"] = value
    folder = tmp_path_factory.getbasetemp() / "contract"
    folder.mkdir(exist_ok=True)
    (folder / "model.yaml").write_text(yaml.dump(plain))
    try:
        load_contract(folder)
    except BundleError as error:
        assert "model.yaml" in str(error)


@FUZZ
@given(st.binary(max_size=300))
def test_a_contract_of_any_bytes_is_refused(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "bytes"
    folder.mkdir(exist_ok=True)
    (folder / "model.yaml").write_bytes(content)
    with pytest.raises(BundleError):
        load_contract(folder)


@FUZZ
@given(data=st.data())
def test_weights_with_changed_bytes_are_loaded_or_refused(bundle, tmp_path_factory, data):
    """With a hash that fits, so that what reads the file has to cope; the header is where harm can be done."""
    folder = tmp_path_factory.getbasetemp() / "weights"
    if not folder.exists():
        shutil.copytree(bundle, folder)
    content = (bundle / "predictor.safetensors").read_bytes()
    changes = data.draw(spots(min(len(content), 3000)))
    keep = data.draw(st.sampled_from([len(content), len(content), len(content) // 2, 7]))
    path = folder / "predictor.safetensors"
    path.write_bytes(harmed(content, changes, keep))
    contract = (bundle / "model.yaml").read_text()
    (folder / "model.yaml").write_text(contract.replace(sha256(bundle / "predictor.safetensors"), sha256(path)))
    try:
        load_bundle(folder)
    except BundleError as error:
        assert "safetensors" in str(error)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "link"])
def test_no_path_in_a_bundle_leaves_its_folder(bundle, tmp_path, name):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    plain = yaml.safe_load((folder / "model.yaml").read_text())
    plain["files"][name] = sha256(tmp_path / "outside")
    (folder / "model.yaml").write_text(yaml.dump(plain))
    with pytest.raises(BundleError, match=r"leaves the bundle's folder|no such file"):
        load_bundle(folder)


def test_a_pickle_in_the_place_of_weights_runs_no_code(bundle, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    folder = shutil.copytree(bundle, tmp_path / "bundle")
    path = folder / "predictor.safetensors"
    before = sha256(path)
    torch.save({"weight": Harm()}, path)
    contract = folder / "model.yaml"
    contract.write_text(contract.read_text().replace(before, sha256(path)))
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(folder)
    assert not (tmp_path / "harm").exists()


def test_a_contract_too_large_to_be_one_is_not_read(bundle, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    with (folder / "model.yaml").open("a") as file:
        file.write("# " + "x" * 2_000_000)
    with pytest.raises(BundleError, match="at most 1000000"):
        load_contract(folder)


def _png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


PNG = _png()


@FUZZ
@given(spots(len(PNG)), st.sampled_from([len(PNG), len(PNG), 100, 0]))
def test_a_picture_file_is_pixels_or_refused(tmp_path_factory, changes, keep):
    path = tmp_path_factory.getbasetemp() / "picture.png"
    path.write_bytes(harmed(PNG, changes, keep))
    try:
        pixels = read_picture(path)
    except ValueError as error:
        assert "picture.png" in str(error)
        return
    assert pixels.ndim == 3 and pixels.dtype == np.uint8


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("shard") / "episodes-000000.h5"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (2, 3, 2, 8, 8, 3), dtype=np.uint8)
    arrays = [rng.standard_normal((2, *rest)).astype(np.float32) for rest in ((3, 8), (2, 7), (3, 4))]
    write_shard(path, Episodes(images, *arrays, ("reach", "push"), np.arange(2), ("front", "side"), 0.25))
    return path.read_bytes()


@FUZZ
@given(data=st.data())
def test_an_episode_file_with_changed_bytes_is_read_or_refused_with_its_name(shard, tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "shards"
    folder.mkdir(exist_ok=True)
    changes = data.draw(spots(len(shard)))
    keep = data.draw(st.sampled_from([len(shard), len(shard), len(shard) // 2, 0]))
    (folder / "episodes-000000.h5").write_bytes(harmed(shard, changes, keep))
    try:
        read = read_episodes(folder)
        pictures = np.asarray(read.images)
    except EpisodeError as error:
        assert "episodes-000000.h5" in str(error)
        return
    assert np.all(np.isfinite(read.states)) and pictures.shape[1] == read.states.shape[1]


def test_an_episode_file_that_claims_more_than_fits_into_memory_is_not_read(shard, tmp_path):
    path = tmp_path / "episodes-000000.h5"
    path.write_bytes(shard)
    with h5py.File(path, "a") as file:
        del file["images"], file["states"]
        file.create_dataset("images", (10**9, 41, 2, 256, 256, 3), np.uint8, chunks=(1, 1, 2, 8, 8, 3))
        file.create_dataset("states", (10**9, 41, 8), np.float32, chunks=(1, 41, 8))
    with pytest.raises(EpisodeError, match="at most"):
        read_episodes(tmp_path)
