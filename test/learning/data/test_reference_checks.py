"""Episodes beside what a model knows."""

from dataclasses import replace

import pytest
import torch
from small_models import small_contract
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import EpisodeError
from jepa_planner.learning.data.reference_checks import check_frames, check_in_distribution, frames_of
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.contract import ContractError
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel

SOME = replace(episodes(count=6, steps=6), frame="ur5_base", tcp_frame="tool0")
UNNAMED = replace(SOME, frame="", tcp_frame="")


@pytest.fixture(scope="module")
def model() -> WorldModel:
    made = contract(encoder(), predictor(), SOME, Recipe(name="mine"))
    return WorldModel(made, encoder(), predictor())


@pytest.fixture(scope="module")
def known(model) -> LatentStatistics:
    frames = torch.cat([model.encode(pictures) for pictures in SOME.images])
    return LatentStatistics.of(frames, torch.from_numpy(SOME.states).flatten(0, 1))


def test_pictures_in_the_models_own_order_are_in_distribution_and_nothing_is_known_without_statistics(model, known):
    assert list(check_in_distribution(model, known, SOME.images)) == []
    assert list(check_in_distribution(model, None, SOME.images[..., ::-1])) == []


@pytest.mark.parametrize(
    ("images", "says"),
    [(SOME.images[..., ::-1], "red and blue exchanged (BGR?)"), (SOME.images[:, :, ::-1], "its two views exchanged")],
)
def test_pictures_in_another_order_are_said_to_be(model, known, images, says):
    found = [finding.says for finding in check_in_distribution(model, known, images)]
    assert [line for line in found if says in line and "are like those that mine knows with" in line], found


def test_frames_are_those_of_the_data_or_as_chosen_and_asked_for_where_neither_says():
    assert frames_of(SOME, ("", "")) == ("ur5_base", "tool0")
    assert frames_of(UNNAMED, ("base_link", "tool0")) == ("base_link", "tool0")
    with pytest.raises(EpisodeError, match="do not say what their poses are given in: name it with --base-frame"):
        frames_of(UNNAMED, ("", "tool0"))
    with pytest.raises(EpisodeError, match="do not say what their poses are of: name it with --tcp-frame"):
        frames_of(UNNAMED, ("base_link", ""))


def test_frames_that_are_chosen_other_than_the_files_say_are_told(capsys):
    assert frames_of(SOME, ("ur5_base", "tool0")) == ("ur5_base", "tool0")
    assert capsys.readouterr().err == ""
    assert frames_of(SOME, ("ur5_base", "tcp")) == ("ur5_base", "tcp")
    assert "the episodes' poses are 'tool0', taken as 'tcp': so --tcp-frame says" in capsys.readouterr().err


def test_frames_of_another_robot_than_the_models_are_refused_unless_that_is_meant():
    panda = small_contract()
    with pytest.raises(EpisodeError, match=r"are 'ur5_base', those of .*: if that is meant, --base-frame ur5_base"):
        frames_of(SOME, ("", ""), panda)
    assert frames_of(SOME, ("ur5_base", "tool0"), panda) == ("ur5_base", "tool0")


def test_what_becomes_a_part_of_a_model_is_in_its_frames(model, capsys):
    check_frames(SOME, model.contract)
    assert capsys.readouterr().err == ""
    check_frames(UNNAMED, model.contract)
    assert "taken as the model's, tool0 in ur5_base" in capsys.readouterr().err
    with pytest.raises(ContractError, match="'panda_link0' given; this model was trained in 'ur5_base'"):
        check_frames(replace(SOME, frame="panda_link0"), model.contract)
