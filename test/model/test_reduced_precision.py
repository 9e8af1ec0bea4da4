"""What half the bits cost, against fp32 with the same weights and against the reference vectors.

Two different things are called bf16. A bundle *stored* in bf16 and run in fp32 is another function, but a smooth one.
*Arithmetic* in bf16 adds noise of a few 1e-4 of an energy. Plans depend on the order of energies, and noise disturbs it
where energies differ by less: of the random weights of the reference checkpoint all candidates look alike within
8e-5, of a trained model they differ by a tenth and more.
"""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from reference_vectors import CHECKPOINT, SIZE, reference_world_model, relative_error, vectors
from scipy.stats import spearmanr

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.model.bundle import model_folder
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.import_bundle import import_bundle
from jepa_planner.model.world_model import Context, WorldModel
from jepa_planner.planning.energy import LastStepL1
from jepa_planner.planning.vjepa2_planner import vjepa2_planner

CANDIDATES = 256
LEAST_RANK_CORRELATION = 0.999
STORED_BF16, ARITHMETIC_BF16, ARITHMETIC_FP16 = 5e-3, 1e-2, 1e-3
"""Largest error of a token or prediction, relative to the largest magnitude."""
ENERGY_BF16 = 5e-4
"""Largest error of an energy by bf16 arithmetic, relative to the energy."""


@pytest.fixture(scope="module")
def stored_in_bf16(tmp_path_factory) -> WorldModel:
    folder = tmp_path_factory.mktemp("bf16") / "tiny"
    found = find_vjepa2_ac(CHECKPOINT, SIZE)
    contract = vjepa2_contract(found, ImportSettings(name="tiny"), "")
    import_bundle(found, contract, to_plain(vjepa2_planner()), folder, torch.bfloat16)
    return WorldModel.load(folder)


@cache
def model_in(dtype: str) -> WorldModel:
    return reference_world_model(dtype)


def candidates(horizon: int, max_abs: tuple[float, ...]) -> torch.Tensor:
    """As a search draws them at first: normal, cut off at the bounds."""
    bounds = torch.tensor(max_abs)
    draws = torch.randn(CANDIDATES, horizon, 7, generator=torch.Generator().manual_seed(0))
    return torch.maximum(torch.minimum(draws * bounds, bounds), -bounds)


def start() -> Context:
    return Context(vectors()["latents"][:1], vectors()["states"][0, :1], torch.zeros(0, 7))


def energies(model: WorldModel, context: Context, goal: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return LastStepL1()(model.rollout(context, actions), goal, actions)


def goal_that_actions_approach(horizon: int) -> torch.Tensor:
    """Far along the way on which one action moves the latents."""
    actions = torch.zeros(2, horizon, 7)
    actions[1] = torch.tensor([0.05, -0.025, 0.025, 0.0, 0.0, 0.0, 0.5])
    still, moved = model_in("float32").rollout(start(), actions)[:, -1]
    return F.layer_norm(still + 30.0 * (moved - still), still.shape[-1:])


def worst_errors(model: WorldModel) -> list[float]:
    images = vectors()["clip"].movedim(0, 1)[:, None]
    errors = [relative_error(model.encode(vectors()["frames"][:, None]), vectors()["latents"])]
    with torch.inference_mode(), torch.autocast("cpu", model.dtype, enabled=model.dtype != torch.float32):
        errors.append(relative_error(model.encoder.tokens(images).float(), vectors()["encoder_tokens"]))
        for steps in (1, 2, 3):
            latents = vectors()[f"pred_in_{steps}"].unflatten(1, (steps, 16))
            given = model.predictor(latents, vectors()[f"pred_act_{steps}"], vectors()[f"pred_state_{steps}"])
            errors.append(relative_error(given.flatten(1, 2).float(), vectors()[f"pred_out_{steps}"]))
    return errors


def test_a_bundle_stored_in_bf16_stays_near_the_reference(stored_in_bf16):
    assert 1e-4 < max(worst_errors(stored_in_bf16)) < STORED_BF16


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", ARITHMETIC_BF16), ("float16", ARITHMETIC_FP16)])
def test_reduced_arithmetic_stays_near_the_reference(dtype, tolerance):
    assert 1e-4 < max(worst_errors(model_in(dtype))) < tolerance


def test_a_bundle_stored_in_bf16_ranks_candidates_as_fp32_does(stored_in_bf16):
    goal, actions = vectors()["latents"][1], candidates(1, stored_in_bf16.contract.action.max_abs)
    expected = energies(model_in("float32"), start(), goal, actions)
    given = energies(stored_in_bf16, start(), goal, actions)
    assert spearmanr(given, expected).statistic >= LEAST_RANK_CORRELATION


@pytest.mark.parametrize("horizon", [1, 2])
def test_it_ranks_them_at_any_horizon_where_actions_lead_toward_the_goal(stored_in_bf16, horizon):
    goal, actions = goal_that_actions_approach(horizon), candidates(horizon, stored_in_bf16.contract.action.max_abs)
    expected = energies(model_in("float32"), start(), goal, actions)
    given = energies(stored_in_bf16, start(), goal, actions)
    assert spearmanr(given, expected).statistic >= LEAST_RANK_CORRELATION


@pytest.mark.parametrize("horizon", [1, 2])
def test_energies_in_bf16_arithmetic_are_off_by_a_small_share(horizon):
    goal, actions = vectors()["latents"][1], candidates(horizon, model_in("float32").contract.action.max_abs)
    expected = energies(model_in("float32"), start(), goal, actions)
    given = energies(model_in("bfloat16"), start(), goal, actions)
    assert ((given - expected) / expected).abs().max() < ENERGY_BF16
    assert given.dtype == torch.float32  # differences are summed with all bits


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_reduced_arithmetic_keeps_the_ranks_of_a_trained_model(dtype):
    model = WorldModel.load(model_folder())
    views, height, width = len(model.contract.image.views), model.contract.image.height, model.contract.image.width
    generator = torch.Generator().manual_seed(0)
    blobs = torch.randint(0, 256, (2 * views, 3, 4, 4), generator=generator).float()
    images = F.interpolate(blobs, (height, width), mode="bicubic").clamp(0, 255).byte().movedim(1, -1)
    latents = model.encode(images.unflatten(0, (2, views)))
    state = torch.zeros(1, len(model.contract.state.channels))
    state[0, :3] = torch.tensor([0.5, 0.0, 0.13])
    context, actions = Context(latents[:1], state, torch.zeros(0, 7)), candidates(3, model.contract.action.max_abs)
    expected = energies(model, context, latents[1], actions)
    given = energies(WorldModel.load(model_folder(), dtype=dtype), context, latents[1], actions)
    assert spearmanr(given, expected).statistic >= LEAST_RANK_CORRELATION
