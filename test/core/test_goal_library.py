from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa_planner.core.goal_library import GoalLibrary, GoalLibraryError, is_goal_name, library_root
from jepa_planner.core.picture_file import PictureError

VIEWS, FRAMES = ("front", "side"), ("front_optical_frame", "side_optical_frame")


def pictures(seed: int, size: int = 8) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 255, (2, size, size + 2, 3), dtype=np.uint8))


def library(root: Path, model: str = "tiny 1 abc front+side", views=VIEWS) -> GoalLibrary:
    return GoalLibrary("tiny", model, views, root)


@pytest.fixture
def kept(tmp_path) -> GoalLibrary:
    """With a goal of two goal images, called cup."""
    kept = library(tmp_path)
    kept.save("cup", pictures(0), FRAMES, 1.5)
    kept.save("cup", pictures(1), FRAMES, 2.5, append=True)
    return kept


def test_what_was_saved_comes_back_in_order_and_to_the_last_bit(kept):
    found = kept.load("cup")
    assert found.views == VIEWS
    for moment, seed in zip(found.moments, (0, 1), strict=True):
        for given, back in zip(pictures(seed), moment, strict=True):
            np.testing.assert_array_equal(given, back)
    notes = kept.notes("cup")
    assert notes.stamps_s == (1.5, 2.5) and [view.frame for view in notes.views] == list(FRAMES)
    assert kept.names() == ["cup"]


def test_its_files_are_those_of_a_folder_of_goal_pictures(kept):
    assert sorted(file.name for file in (kept.folder / "cup").iterdir()) == [
        *("1_front.png", "1_side.png", "2_front.png", "2_side.png", "goal.yaml")
    ]


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (
            {"model": "tiny 2 def front+side"},
            "was saved for the model tiny 1 abc front.side; this planner has tiny 2 def",
        ),
        ({"views": ("front",)}, "has the views front, side; this planner's are front: save it anew"),
        ({"views": ("side", "front")}, "has the views front, side; this planner's are side, front"),
    ],
)
def test_a_goal_of_another_planner_is_refused_by_name(kept, tmp_path, other, complaint):
    with pytest.raises(GoalLibraryError, match=f"goal cup {complaint}"):
        library(tmp_path, **other).load("cup")


def test_a_picture_of_another_size_than_was_saved_is_named(kept):
    Image.fromarray(pictures(0, size=16)[0]).save(kept.folder / "cup" / "2_front.png")
    with pytest.raises(GoalLibraryError, match=r"2_front\.png is 18 x 16 pixels; 10 x 8 were saved"):
        kept.load("cup")


def test_a_picture_that_is_gone_is_named(kept):
    (kept.folder / "cup" / "2_side.png").unlink()
    with pytest.raises(PictureError, match=r"2_side\.png"):
        kept.load("cup")


def test_a_name_that_is_taken_is_refused_and_nothing_changes(kept):
    with pytest.raises(GoalLibraryError, match="a goal is called cup already: append to it, delete it"):
        kept.save("cup", pictures(2), FRAMES, 3.0)
    assert len(kept.load("cup").moments) == 2


@pytest.mark.parametrize(
    ("seen", "frames", "model", "complaint"),
    [
        (pictures(2, size=16), FRAMES, "tiny 1 abc front+side", "has pictures of front with 10 x 8 pixels .* 18 x 16"),
        (
            pictures(2),
            ("left", "side_optical_frame"),
            "tiny 1 abc front+side",
            "in frame 'front_optical_frame'.*'left'",
        ),
        (pictures(2), FRAMES, "tiny 2", "was saved for tiny 1 abc front.side; this is tiny 2"),
    ],
    ids=["size", "camera", "model"],
)
def test_what_does_not_go_with_a_goals_pictures_is_not_appended(kept, tmp_path, seen, frames, model, complaint):
    with pytest.raises(GoalLibraryError, match=complaint):
        library(tmp_path, model).save("cup", seen, frames, 3.0, append=True)
    assert len(kept.load("cup").moments) == 2


def test_an_interrupted_save_leaves_what_was_there_and_can_be_done_again(kept, monkeypatch):
    import jepa_planner.core.goal_library as module

    write = module._write

    def fail(path: Path, data: bytes) -> None:
        if path.suffix == ".yaml":
            raise OSError("no space left on device")
        write(path, data)

    monkeypatch.setattr(module, "_write", fail)
    for name, append in (("cup", True), ("new", False)):
        with pytest.raises(OSError, match="no space"):
            kept.save(name, pictures(2), FRAMES, 3.0, append)
    monkeypatch.undo()
    assert kept.names() == ["cup"] and len(kept.load("cup").moments) == 2
    kept.save("new", pictures(3), FRAMES, 3.0)
    np.testing.assert_array_equal(kept.load("new").moments[0][0], pictures(3)[0])


def test_a_goal_is_deleted_and_then_unknown(kept):
    kept.save("plate", pictures(2), FRAMES, 3.0)
    kept.delete("cup")
    assert kept.names() == ["plate"] and not (kept.folder / "cup").exists()
    for use in (kept.delete, kept.load):
        with pytest.raises(GoalLibraryError, match="no goal is called cup; saved for this model: plate"):
            use("cup")


@pytest.mark.parametrize("name", ["", "..", "a/b", "/tmp", "a.png", "-x", "ä", "a" * 101])
def test_a_name_that_could_be_a_path_or_a_file_is_refused(kept, name):
    assert not is_goal_name(name)
    for use in (kept.load, kept.delete, lambda name: kept.save(name, pictures(0), FRAMES, 0.0)):
        with pytest.raises(GoalLibraryError, match="a goal cannot be called"):
            use(name)


@pytest.mark.parametrize("text", ["", "model: 1", "[", "model: m\nviews: []\nstamps_s: [1.0]\nmore: 1"])
def test_notes_that_are_none_are_refused_with_their_file(kept, text):
    (kept.folder / "cup" / "goal.yaml").write_text(text)
    with pytest.raises(GoalLibraryError, match=r"cup/goal\.yaml: "):
        kept.load("cup")


@pytest.mark.parametrize("bundle", ["../../etc", ".hidden", "a b", ""])
def test_a_bundles_name_never_leads_out_of_the_library(tmp_path, bundle):
    folder = GoalLibrary(bundle, "m", VIEWS, tmp_path).folder
    assert folder.parent == tmp_path and not folder.name.startswith(".")


def test_the_library_lies_with_the_users_data(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert library_root() == tmp_path / "jepa_planner" / "goals"
    for not_set in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", not_set)
        assert library_root() == Path.home() / ".local/share/jepa_planner/goals"
