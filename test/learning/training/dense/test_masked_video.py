"""What is hidden is foreseen from what is seen, by no more than that; the teacher follows and is not followed."""

import pytest
import torch
from torch import nn

from jepa_planner.learning.training.dense.masked_video import MaskedVideo, MaskedVideoSettings, encode_clips
from jepa_planner.learning.training.dense.masks import hidden_first
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder

SIZES = EncoderConfig(
    image_size=(32, 32), width=24, depth=2, heads=2, mlp_hidden=48, patch_size=8, tubelet_size=1
)  # fmt: skip


def objective(**changes: object) -> MaskedVideo:
    torch.manual_seed(0)
    return MaskedVideo(VideoEncoder(SIZES), MaskedVideoSettings(predictor_width=16, predictor_depth=2, **changes))


def clips(count: int = 6, frames: int = 2) -> torch.Tensor:
    return torch.randn(count, frames, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_clips_of_single_frames_are_encoded_as_the_encoder_does_itself():
    encoder = objective().encoder.eval()
    torch.testing.assert_close(encode_clips(encoder, clips(frames=1)), encoder(clips(frames=1)))


def test_frames_of_a_clip_see_one_another():
    encoder, shown = objective().encoder.eval(), clips()
    other = shown.clone()
    other[:, 1] = 0.0
    assert not torch.allclose(encode_clips(encoder, shown)[:, :16], encode_clips(encoder, other)[:, :16], atol=1e-4)


def test_pixels_that_are_hidden_change_targets_alone():
    trained = objective().eval()
    seen_by: list[torch.Tensor] = []
    trained.predictor.register_forward_pre_hook(lambda _, given: seen_by.append(given[0]))
    shown = clips()
    losses = [trained(shown, seeded())["total"]]
    order, hidden = hidden_first(len(shown), SIZES.grid, trained.settings.masks, seeded())
    for clip, first in zip(shown, order[:, :hidden], strict=True):
        for patch in first.tolist():
            top, left = 8 * (patch // 4), 8 * (patch % 4)
            clip[:, :, top : top + 8, left : left + 8] = 3.0
    losses.append(trained(shown, seeded())["total"])
    torch.testing.assert_close(seen_by[0], seen_by[1])
    assert losses[0] != losses[1]


def test_no_gradient_reaches_the_teacher_which_moves_a_little_towards_the_encoder():
    trained = objective(decay=0.9)
    trained(clips(), seeded())["total"].backward()
    assert all(p.grad is None for p in trained.teacher.parameters())
    assert all(p.grad is not None for name, p in trained.encoder.named_parameters())
    before = trained.teacher.module.blocks[0].mlp.fc1.weight.clone()
    with torch.no_grad():
        trained.encoder.blocks[0].mlp.fc1.weight.add_(1.0)
    trained(clips(), seeded())
    moved = trained.teacher.module.blocks[0].mlp.fc1.weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 0.1))
    trained.eval()
    trained(clips(), seeded())
    torch.testing.assert_close(trained.teacher.module.blocks[0].mlp.fc1.weight - before, moved)


@pytest.mark.parametrize("targets", ["stopped", "free"])
def test_targets_may_be_the_encoder_s_own_with_a_gradient_or_without(targets):
    trained = objective(targets=targets)
    assert trained.teacher is None
    reached = trained._targets(clips()).requires_grad
    assert reached == (targets == "free")


def test_what_is_the_same_at_a_place_in_all_clips_is_no_target():
    still = clips(1).expand(6, -1, -1, -1, -1)
    assert objective()._targets(still).abs().max() < 1e-3
    assert objective(standardised=False)._targets(still).abs().max() > 0.5
    assert objective()._targets(clips()).std() == pytest.approx(1.0, abs=0.1)


def test_training_foresees_what_is_hidden_better():
    trained, shown = objective(decay=0.99), clips(12).sign().cumsum(-1) / 8  # stripes that go on behind a mask
    optimiser = torch.optim.AdamW((p for p in trained.parameters() if p.requires_grad), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = trained(shown, seeded())["total"]
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.93 * losses[0]


@pytest.mark.parametrize("changes", [{"slots": 2, "slot_channels": 3}, {"views": 2}, {"tubelet_size": 2}])
def test_an_encoder_that_is_not_of_single_pictures_is_refused(changes):
    sizes = {**SIZES.__dict__, **changes}
    with pytest.raises(ValueError, match="for an encoder of patches, of one view and single frames"):
        MaskedVideo(VideoEncoder(EncoderConfig(**sizes)), MaskedVideoSettings())
    assert isinstance(objective(), nn.Module)
