import pytest
import torch
from batches import generator
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.training.objectives.prediction import MaskedTeacher, NextLatent, NextPicture
from jepa_planner.learning.training.view_dropout import encode_windows
from jepa_planner.model.preprocess import preprocess


def batch(frames: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    some = episodes(4, frames - 1)
    images = preprocess(torch.from_numpy(some.images), (32, 32))
    return images, torch.from_numpy(some.states), torch.from_numpy(some.actions)


def test_nothing_stops_the_gradient_without_a_teacher():
    images, states, actions = batch(frames=2)
    images.requires_grad_()
    NextLatent()(encoder(), predictor(untrained=True), images, states, actions, generator()).loss.backward()
    assert images.grad[:, 0].abs().sum() > 0 and images.grad[:, 1].abs().sum() > 0


def test_no_gradient_reaches_what_the_teacher_sees_nor_its_weights():
    images, states, actions = batch(frames=2)
    images.requires_grad_()
    student = encoder().eval()  # so that BatchNorm mixes no frames
    prediction = MaskedTeacher(student, hidden_share=0.0)
    prediction(student, predictor(untrained=True), images, states, actions, generator()).loss.backward()
    assert images.grad[:, 0].abs().sum() > 0 and images.grad[:, 1].abs().sum() == 0
    assert all(parameter.grad is None for parameter in prediction.parameters())


def test_a_share_of_whole_patches_is_hidden():
    prediction = MaskedTeacher(encoder(), hidden_share=0.5)
    hidden = prediction.hide(torch.ones(40, 3, 2, 3, 32, 32), 16, generator())
    assert 0.4 < hidden.mean() < 0.6
    patches = hidden.unfold(-2, 16, 16).unfold(-2, 16, 16).flatten(-2)
    assert torch.equal(patches.amin(-1), patches.amax(-1))
    assert torch.equal(hidden[:, :, :, 0], hidden[:, :, :, 2])
    assert torch.equal(hidden, prediction.hide(torch.ones_like(hidden), 16, generator()))


def test_hidden_patches_are_hidden_from_the_encoder_alone():
    images, states, actions = batch()
    student = encoder().eval()
    prediction = MaskedTeacher(student, hidden_share=1.0).eval()
    found = prediction(student, predictor(untrained=True), images, states, actions, generator())
    assert torch.equal(found.latents, encode_windows(student, 0.0 * images, generator()))
    whole = encode_windows(student, images, generator())[:, 1:]
    torch.testing.assert_close(found.loss, (found.predicted - whole).pow(2).mean())


def test_the_teacher_is_the_encoder_at_first_then_follows_it_slowly_and_in_training_alone():
    student = encoder()
    prediction = MaskedTeacher(student, decay=0.9)
    teacher = prediction.teacher.module

    def move() -> torch.Tensor:
        with torch.no_grad():
            student.slot_queries += 1.0
        return student.slot_queries.detach().clone()

    first = move()
    prediction.train()(student, predictor(), *batch(), generator())
    assert torch.equal(teacher.slot_queries, first)
    move()
    prediction.eval()(student, predictor(), *batch(), generator())
    assert torch.equal(teacher.slot_queries, first)
    prediction.train()(student, predictor(), *batch(), generator())
    torch.testing.assert_close(teacher.slot_queries, first + 0.1)


@pytest.mark.parametrize("make", [NextLatent, lambda: MaskedTeacher(encoder())])
def test_predictions_are_of_the_frames_after_the_first(make):
    found = make()(encoder(), predictor(), *batch(frames=4), generator())
    assert found.latents.shape == (4, 4, 4, 3) and found.predicted.shape == (4, 3, 4, 3)


def test_next_pictures_and_those_that_are_seen_are_drawn_by_one_decoder():
    images, states, actions = batch()
    module, foresees, sees = NextPicture(encoder()), predictor(), encoder().eval()
    found = module(sees, foresees, images, states, actions, generator())
    latents = encode_windows(sees, images, generator())
    predicted = foresees(latents[:, :-1], actions, states[:, :-1])
    present = (module.decoder(latents) - images).square().mean()
    future = (module.decoder(predicted) - images[:, 1:]).square().mean()
    torch.testing.assert_close(found.loss, present + future)
    torch.testing.assert_close(found.predicted, predicted)


def test_encoder_predictor_and_decoder_all_learn_from_pictures():
    images, states, actions = batch()
    modules = [encoder(), predictor(), NextPicture(encoder())]
    modules[2](*modules[:2], images, states, actions, generator()).loss.backward()
    for module in modules:
        assert sum(p.grad.abs().sum() > 0 for p in module.parameters() if p.grad is not None) > 3
