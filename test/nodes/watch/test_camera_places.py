from types import SimpleNamespace

import numpy as np
import pytest

from jepa_planner.nodes.watch.camera_places import Placed, calibration_of, chained, pixels_of

# looks down from a metre above the origin: x of the picture along x, y of the picture against y
ABOVE = Placed("base", (0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0))


def info(**changes: object) -> SimpleNamespace:
    k = [100.0, 0.0, 49.5, 0.0, 100.0, 49.5, 0.0, 0.0, 1.0]
    fields = {"k": k, "d": [0.0] * 5, "width": 100, "height": 100, "distortion_model": "plumb_bob"}
    return SimpleNamespace(**(fields | changes))


def test_a_point_is_seen_where_a_pinhole_shows_it():
    camera = calibration_of("top", info(), ABOVE)
    pixels = pixels_of(camera, (100, 100), np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    assert pixels == pytest.approx(np.array([[49.5, 49.5], [59.5, 49.5], [49.5, 39.5]]))


def test_a_picture_of_another_size_shows_it_at_the_same_place():
    camera = calibration_of("top", info(), ABOVE)
    (pixel,) = pixels_of(camera, (200, 200), np.array([[0.1, 0.0, 0.0]]))
    assert pixel == pytest.approx([119.5, 99.5])


def test_what_is_behind_the_camera_has_no_place():
    camera = calibration_of("top", info(), ABOVE)
    assert np.isnan(pixels_of(camera, (100, 100), np.array([[0.0, 0.0, 2.0]]))).all()


def test_a_picture_of_another_aspect_is_refused():
    with pytest.raises(ValueError, match="calibrated with 100 x 100"):
        pixels_of(calibration_of("top", info(), ABOVE), (160, 100), np.zeros((1, 3)))


def test_a_lens_that_is_not_given_is_refused():
    with pytest.raises(ValueError, match="camera_info of top has no focal length"):
        calibration_of("top", info(k=[0.0] * 9), ABOVE)


def test_frames_are_chained_up_to_the_base():
    frames = {
        "optical": Placed("camera", (0.0, 0.0, 0.1), (0.0, 0.0, 0.0, 1.0)),
        "camera": Placed("base", (1.0, 0.0, 0.0), (0.0, 0.0, 0.7071068, 0.7071068)),
    }
    found = chained(frames, "optical", "base")
    assert found is not None and found.frame == "base" and found.xyz_m == pytest.approx((1.0, 0.0, 0.1))


@pytest.mark.parametrize(
    "frames", [{}, {"a": Placed("b", (0, 0, 0), (0, 0, 0, 1)), "b": Placed("a", (0, 0, 0), (0, 0, 0, 1))}]
)
def test_frames_that_do_not_lead_to_the_base_are_none(frames):
    assert chained(frames, "a", "base") is None
