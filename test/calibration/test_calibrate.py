"""Cameras from samples: judged by the camera that saw them."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_boards import BOARD, outline, pose, scene
from scipy.spatial.transform import Rotation
from seen_corners import STRONG, calibrate, camera_off, corners, of_size, off, seen, true_lens

from jepa_planner.calibration.adjustment import Adjustment, Noise, Sighting, Touch, Unknowns
from jepa_planner.calibration.advice import CalibrationRefused
from jepa_planner.calibration.board import Corners, outer_corners_m
from jepa_planner.calibration.lens import Lens


@pytest.fixture(scope="module")
def eight():
    return scene(8, 0, distortion=STRONG)


def with_pose(sightings, number: int, change: np.ndarray) -> list[Sighting]:
    """One sample says that the tcp was elsewhere."""
    return [replace(s, base_from_carrier=s.base_from_carrier @ change) if n == number else s
            for n, s in enumerate(sightings)]  # fmt: skip


@pytest.mark.parametrize("count", [4, 8])
def test_without_noise_the_pose_is_the_true_one(count):
    s = scene(count, 1, distortion=STRONG)
    found = calibrate(seen(s))
    assert camera_off(found, s) == pytest.approx((0.0, 0.0), abs=0.02)
    assert off(found.fit.unknowns.carrier_from_board, s.tcp_from_board) == pytest.approx((0.0, 0.0), abs=0.02)
    assert found.fit.unknowns.lens.focal_and_centre_px == pytest.approx([620.0, 622.0, 328.3, 235.1], abs=0.05)
    assert found.fit.error_px() < 0.01 and not found.left_out


@pytest.mark.parametrize(("noise_px", "count", "most_mm", "most_deg"), [(0.3, 8, 2.0, 0.1), (1.0, 8, 5.0, 0.3)])
def test_with_noise_and_a_known_lens_the_pose_is_near(noise_px, count, most_mm, most_deg):
    s = scene(count, 2, distortion=STRONG)
    found = camera_off(calibrate(seen(s, noise_px), given=true_lens(s.camera)), s)
    assert found[0] < most_mm and found[1] < most_deg


@pytest.mark.soak
def test_what_is_said_of_the_uncertainty_is_so():
    """Places are off by about one standard deviation, with an arm that is wrong by a millimetre."""
    ratios = []
    for seed in range(6):
        s = scene(8, seed, distortion=STRONG)
        found = calibrate(seen(s, 0.1, seed, arm_m=1e-3))
        xyz = found.fit.unknowns.base_from_camera[:3, 3] - s.camera.base_from_camera[:3, 3]
        ratios.append(xyz / found.fit.std("camera")[3:])
        assert 0.07 < found.fit.noise.corner_px < 0.13 and 0.5e-3 < found.fit.noise.arm_m < 2e-3
    assert 0.5 < np.sqrt(np.mean(np.square(ratios))) < 2.0


@pytest.mark.parametrize(
    "change",
    [
        pose([0.02, 0.0, 0.0], np.eye(3)),
        pose([0.1, -0.2, 0.1], np.eye(3)),
        pose([0.0, 0.0, 0.0], Rotation.from_euler("x", 3, degrees=True).as_matrix()),
    ],
)
def test_a_sample_with_a_wrong_tcp_pose_is_left_out_by_name(eight, change):
    found = calibrate(with_pose(seen(eight, 0.1), 3, change))
    assert list(found.left_out) == ["003"] and camera_off(found, eight)[0] < 3.0


def test_a_picture_that_is_turned_is_left_out(eight):
    sightings = seen(eight, 0.1)
    upright = sightings[2].corners
    turned = Corners(np.array([639.0, 479.0]) - upright.pixels, upright.points_m)
    found = calibrate([*sightings[:2], replace(sightings[2], corners=turned), *sightings[3:]])
    assert list(found.left_out) == ["002"]


def test_corners_that_are_wrong_do_not_matter_much(eight):
    sightings = seen(eight, 0.1)
    for sighting in sightings[::2]:
        sighting.corners.pixels[:2] += 25.0
    assert camera_off(calibrate(sightings, given=true_lens(eight.camera)), eight)[0] < 2.0


def test_when_half_of_the_samples_contradict_the_others_it_is_refused(eight):
    sightings, rng = seen(eight, 0.1), np.random.default_rng(0)
    for number in range(0, 8, 2):
        sightings = with_pose(sightings, number, pose(rng.uniform(-0.1, 0.1, 3), np.eye(3)))
    with pytest.raises(CalibrationRefused, match=r"samples contradict the others.*taken with the arm at rest"):
        calibrate(sightings)


@pytest.mark.parametrize("said_mm", [24.0, 36.0])
def test_a_wrong_size_of_squares_is_seen_by_the_motion_of_the_arm(eight, said_mm):
    with pytest.raises(CalibrationRefused, match=rf"your squares look like (30.0|29.9|30.1) mm .*you said {said_mm:g}"):
        calibrate(of_size(seen(eight, 0.1), said_mm), square_mm=said_mm)


def test_a_slightly_wrong_size_is_worth_a_word(eight):
    said = calibrate(of_size(seen(eight, 0.05), 30.3), square_mm=30.3).notes
    assert any("your squares look like 30.0" in note for note in said) or any("29.9" in note for note in said)


def wrist(s, how: str, count: int = 8):
    """The same scene with another motion of the arm."""
    rng, first, poses = np.random.default_rng(4), s.base_from_tcp[0], []
    for _ in range(count):
        turn = Rotation.from_euler("z", rng.uniform(-0.5, 0.5)).as_matrix() if how == "one axis" else np.eye(3)
        at = pose(first[:3, 3] + rng.uniform(-0.06, 0.06, 3), turn @ first[:3, :3])
        poses.append(first if how == "nowhere" else at)
    return replace(s, base_from_tcp=poses)


@pytest.mark.parametrize(
    ("how", "says"),
    [("one axis", r"turn about one axis, \(0.00, 0.00, 1.00\)"), ("shifts", "the wrist hardly turns"),
     ("nowhere", "the wrist hardly turns")],
)  # fmt: skip
def test_motions_that_tell_nothing_are_refused_by_name(eight, how, says):
    with pytest.raises(CalibrationRefused, match=says):
        calibrate(seen(wrist(eight, how), 0.1))


def test_too_few_samples_are_refused_and_few_are_told():
    s = scene(4, 1)
    with pytest.raises(CalibrationRefused, match=r"2 samples with a pose of the tcp.*at least 3 are needed"):
        calibrate(seen(s)[:2])
    assert any("4 samples are few" in note for note in calibrate(seen(s)).notes)


def test_pictures_of_a_board_in_hand_tell_the_lens_too():
    s = scene(12, 3, distortion=STRONG)
    sightings = seen(s, 0.1)
    by_hand = [replace(sighting, base_from_carrier=None) for sighting in sightings[4:]]
    with_hand, without = calibrate([*sightings[:4], *by_hand]), calibrate(sightings[:4])
    assert np.all(with_hand.fit.std("lens") < without.fit.std("lens"))


@pytest.mark.parametrize(
    ("lens", "model"),
    [({"fisheye": True, "focal_px": (300.0, 300.5), "distortion": (0.05, -0.02, 0.01, -0.003)}, "equidistant"),
     ({"focal_px": (380.0, 381.0), "distortion": (-0.32, 0.12, 0.0005, -0.0005, -0.02)}, "plumb_bob")],
)  # fmt: skip
def test_wide_lenses_are_found(lens, model):
    s = scene(12, 5, **lens)
    found = calibrate(seen(s, 0.05), model)
    millimetres, degrees = camera_off(found, s)
    assert millimetres < 1.0 and degrees < 0.15 and found.fit.error_px() < 0.1


def on_table(s, noise_px: float = 0.0, by_hand: int = 8) -> tuple[list[Sighting], Touch, np.ndarray]:
    """One picture of a board on the table, and others of one in hand; where its corners are touched."""
    turn = Rotation.from_euler("xz", [180, 40], degrees=True).as_matrix()
    base_from_board = pose([0.42, 0.05, 0.02], turn)
    rng = np.random.default_rng(7)
    lying = Sighting("table", corners(s.camera, base_from_board, noise_px, rng), np.eye(4))
    hand = [replace(sighting, base_from_carrier=None) for sighting in seen(s, noise_px)[:by_hand]]
    touched = outer_corners_m(BOARD)
    return [lying, *hand], Touch(touched, touched @ turn.T + base_from_board[:3, 3]), base_from_board


def test_a_board_that_lies_where_it_was_touched_tells_the_camera(eight):
    sightings, touch, base_from_board = on_table(eight)
    found = calibrate(sightings, touch=touch)
    assert camera_off(found, eight) == pytest.approx((0.0, 0.0), abs=0.05)
    assert off(found.fit.unknowns.carrier_from_board, base_from_board) == pytest.approx((0.0, 0.0), abs=0.05)
    # a corner is touched to a millimetre, and the camera is five boards away
    assert 1e-3 < np.linalg.norm(found.fit.std("camera")[3:]) < 2e-2


def test_one_picture_of_a_touched_board_is_enough_with_a_known_lens(eight):
    sightings, touch, _ = on_table(eight)
    assert camera_off(calibrate(sightings[:1], given=true_lens(eight.camera), touch=touch), eight)[0] < 0.1
    with pytest.raises(CalibrationRefused, match="1 pictures do not tell the lens"):
        calibrate(sightings[:1], touch=touch)
    with pytest.raises(CalibrationRefused, match="no picture shows the board where it was touched"):
        calibrate(sightings[1:], touch=touch)


def test_corners_that_were_touched_in_another_order_or_of_another_size_are_refused(eight):
    sightings, touch, _ = on_table(eight)
    with pytest.raises(CalibrationRefused, match="corners that were touched"):
        calibrate(sightings, touch=replace(touch, base_m=touch.base_m[[0, 2, 1]]))
    with pytest.raises(CalibrationRefused, match=r"your squares look like .* mm by the corners that were touched"):
        calibrate(sightings, touch=replace(touch, base_m=touch.base_m.mean(0) + 1.2 * (touch.base_m - touch.base_m[0])))


def test_slopes_are_those_of_finite_differences(eight):
    sightings = seen(eight)[:3]
    sightings.append(replace(sightings[0], name="free", base_from_carrier=None))
    places = np.vstack([outline()[:2], outline()[3:]])
    lens = Lens.given(640, 480, "plumb_bob", (610.0, 615.0, 320.0, 240.0), (-0.1, 0.05, 0.002, 0.001, 0.01))
    board = np.linalg.inv(eight.camera.base_from_camera) @ eight.base_from_tcp[1] @ eight.tcp_from_board
    at = Unknowns(lens, eight.camera.base_from_camera, eight.tcp_from_board, {"free": board}, 1.02)
    for touch in (None, Touch(places, places + 0.01)):
        adjustment = Adjustment(sightings, True, True, touch)
        adjustment._start, adjustment._noise = at, Noise()
        adjustment._lay_out(at)
        x = adjustment._vector(at)
        x = x + 1e-3 * np.random.default_rng(0).normal(size=len(x))
        slopes = adjustment._evaluate(x)[1]
        for column, step in enumerate(1e-6 * np.eye(len(x))):
            numeric = (adjustment._evaluate(x + step)[0] - adjustment._evaluate(x - step)[0]) / 2e-6
            assert np.allclose(slopes[:, column], numeric, atol=1e-8 * np.abs(slopes).max())
