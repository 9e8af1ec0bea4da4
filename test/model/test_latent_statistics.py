import pytest
import torch
import yaml
from small_models import small_contract, small_predictor
from torch import Tensor

from jepa_planner.model.bundle import (
    load_bundle,
    load_contract,
    load_latent_statistics,
    save_bundle,
    write_latent_statistics,
)
from jepa_planner.model.bundle_files import CONTRACT_FILE, STATISTICS_FILE, BundleError
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import MAX_FEATURES, LatentStatistics, feature_count, latent_features

SPEC = OutOfDistributionSpec(latent_distance=2.0, arm_error_m=0.05, surprise=1.0, data="a test")


def training_data(count: int = 4000) -> tuple[Tensor, Tensor]:
    """Latents [M, 3, 4] that a random linear map makes of states [M, 8], and a little noise."""
    rng = torch.Generator().manual_seed(0)
    states = torch.randn(count, 8, generator=rng) * 0.1
    mixing = torch.randn(8, 12, generator=rng)
    noise = 0.02 * torch.randn(count, 12, generator=rng)
    return (states @ mixing + noise).reshape(count, 3, 4), states


@pytest.fixture(scope="module")
def known() -> LatentStatistics:
    return LatentStatistics.of(*training_data())


def test_training_data_is_at_distance_one_and_what_is_elsewhere_further(known):
    latents, _ = training_data()
    distances = known.distance(latents)
    assert distances.square().mean() == pytest.approx(1.0, rel=0.1)
    assert known.distance(latents[0] + 3.0) > 3 * distances.max()
    assert distances.shape == (len(latents),)


def test_a_latent_shows_where_the_tcp_is(known):
    latents, states = training_data()
    errors = known.arm_error_m(latents, states)
    assert errors.median() < 0.02
    moved = states.clone()
    moved[:, 0] += 0.3
    assert known.arm_error_m(latents, moved).min() > errors.max()


def test_latents_of_many_numbers_are_averaged_over_their_tokens():
    assert feature_count(256, 1408) == 1408
    assert feature_count(8, 16) == 128
    large = torch.arange(MAX_FEATURES * 4.0).reshape(MAX_FEATURES, 4)
    assert latent_features(large).shape == (4,)


@pytest.fixture
def bundle(tmp_path):
    contract = small_contract()
    torch.manual_seed(0)
    save_bundle(tmp_path, VideoEncoder(contract.encoder), small_predictor(), contract)
    return tmp_path


def test_statistics_come_back_from_a_bundle_as_they_were(bundle, known):
    write_latent_statistics(bundle, known, SPEC)
    assert load_contract(bundle).out_of_distribution == SPEC
    loaded = load_latent_statistics(bundle)
    for name, tensor in known.tensors().items():
        torch.testing.assert_close(getattr(loaded, name), tensor)
    load_bundle(bundle)


def test_a_bundle_without_statistics_has_none(bundle):
    assert load_latent_statistics(bundle) is None


def test_statistics_that_were_altered_or_are_of_another_model_are_refused(bundle, known):
    write_latent_statistics(bundle, known, SPEC)
    with (bundle / STATISTICS_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="altered"):
        load_latent_statistics(bundle)
    other = LatentStatistics.of(torch.randn(50, 2, 2), torch.randn(50, 8))
    write_latent_statistics(bundle, other, SPEC)
    with pytest.raises(BundleError, match="expected"):
        load_latent_statistics(bundle)


def test_limits_that_limit_nothing_are_refused(bundle, known):
    write_latent_statistics(bundle, known, SPEC)
    path = bundle / CONTRACT_FILE
    plain = yaml.safe_load(path.read_text())
    plain["out_of_distribution"]["surprise"] = float("inf")
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(BundleError, match=r"out_of_distribution: .*positive and finite"):
        load_latent_statistics(bundle)
