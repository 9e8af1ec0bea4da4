"""The simulated world by itself: pictures, cameras, the arm's state, time, and going back."""

import numpy as np
import pytest

from jepa_planner.control.limits import SafetyLimits
from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.cameras import CAMERAS, STANDARD_CAMERAS, WRIST, Camera, cameras_named
from jepa_planner_sim.scene import CameraShift, Scene, TableObject
from jepa_planner_sim.world import World

POSTURE_RAD = np.array(SafetyLimits.panda().posture_rad)
OUT_OF_THE_WAY_M = np.array([0.36, 0.19, 0.24])


def cube_at(x_m: float, y_m: float, **kinds: object) -> Scene:
    return Scene(objects=(TableObject(xy_m=(x_m, y_m), **kinds),))


def red_centre_px(picture: np.ndarray) -> np.ndarray:
    """Column and row of the middle of the red cube's pixels."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    rows, columns = np.nonzero((red > 90) & (red > 2 * green) & (red > 2 * blue))
    assert len(rows) > 10, "the cube is not in the picture"
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def project_px(camera: Camera, point_m: np.ndarray, size_px: int) -> np.ndarray:
    """Column and row at which a pinhole camera with the stated intrinsics sees a point."""
    view = np.array(camera.view_matrix()).reshape(4, 4).T
    right, up, backward = (view @ [*point_m, 1.0])[:3]
    column, row, depth = camera.intrinsics(size_px) @ [right, -up, -backward]
    return np.array([column, row]) / depth


@pytest.mark.parametrize("size_px", [64, 65, 128])
def test_pictures_have_the_size_that_was_asked_for(world, size_px):
    assert world.render(size_px).shape == (2, size_px, size_px, 3)
    assert world.render_view("side", size_px).dtype == np.uint8


def test_the_views_are_front_and_side_and_differ(world):
    assert list(world.cameras) == ["front", "side"]
    front, side = world.render()
    np.testing.assert_array_equal(front, world.render_view("front"))
    assert np.abs(front.astype(int) - side.astype(int)).mean() > 5


@pytest.mark.parametrize("name", sorted(STANDARD_CAMERAS))
@pytest.mark.parametrize("xy_m", [(0.45, -0.1), (0.55, 0.08), (0.5, 0.0)])
def test_the_intrinsics_say_where_a_point_appears(world, name, xy_m):
    world.build(cube_at(*xy_m))
    ArmDriver(world).place_tcp(OUT_OF_THE_WAY_M)
    seen = red_centre_px(world.render_view(name, 256))
    expected = project_px(world.cameras[name], world.object_pose()[0], 256)
    np.testing.assert_allclose(seen, expected, atol=4.0)


@pytest.mark.parametrize("yaw_rad", [0.0, 0.8])
def test_a_camera_on_the_wrist_sees_things_from_where_the_gripper_is(yaw_rad):
    seeing = World(cameras_named([WRIST]), image_size_px=128)
    seeing.build(cube_at(0.5, 0.0))
    seen = []
    for offset in (np.zeros(3), np.array([0.0, 0.05, 0.02])):
        along = np.array([np.cos(yaw_rad), np.sin(yaw_rad), 0.0])
        ArmDriver(seeing).place_tcp(np.array([0.5, 0.0, 0.12]) - 0.03 * along + offset, yaw_rad=yaw_rad)
        camera = CAMERAS[WRIST].at(*seeing.tcp_pose())
        picture = seeing.render()[0]
        seen.append(red_centre_px(picture))
        np.testing.assert_allclose(seen[-1], project_px(camera, seeing.object_pose()[0], 128), atol=5.0)
    seeing.close()
    assert np.abs(seen[0] - seen[1]).max() > 10.0


@pytest.mark.parametrize("names", [[], ["front", "front"], ["front", "ceiling"]])
def test_cameras_that_are_not_there_or_named_twice_are_refused(names):
    with pytest.raises(ValueError, match=r"views are .*; expected some of front, side, wrist, each once"):
        cameras_named(names)


def test_intrinsics_scale_with_the_picture():
    camera = STANDARD_CAMERAS["front"]
    small, large = camera.intrinsics(64), camera.intrinsics(128)
    np.testing.assert_allclose(large[:2], 2 * small[:2])
    assert small[2].tolist() == [0.0, 0.0, 1.0]
    assert small[0, 0] == pytest.approx(32 / np.tan(np.deg2rad(camera.field_of_view_deg / 2)))


@pytest.mark.parametrize(
    ("shift", "axis", "sign"),
    [(CameraShift(pan_rad=0.05), 0, -1), (CameraShift(tilt_rad=0.05), 1, 1), (CameraShift((0, 0.03, 0)), 0, -1)],
)
def test_a_camera_that_turns_or_moves_sees_things_move_the_other_way(world, shift, axis, sign):
    """Panning right moves things left, tilting up moves them down, and y points to the front camera's right."""
    seen = []
    for shifts in ({}, {"front": shift}):
        world.build(Scene(camera_shifts=shifts))
        ArmDriver(world).place_tcp(OUT_OF_THE_WAY_M)
        seen.append(red_centre_px(world.render_view("front", 128)))
    assert sign * (seen[1] - seen[0])[axis] > 2.0


def test_a_new_scene_starts_at_time_zero_with_the_arm_at_its_posture(world):
    world.advance(0.5)
    world.build(Scene())
    assert world.sim_time_s == 0.0
    np.testing.assert_allclose(world.joint_positions(), POSTURE_RAD)
    assert world.closure_measured() == pytest.approx(0.0, abs=1e-6)


def test_time_moves_only_when_the_world_advances(world):
    world.build(Scene())
    world.render()
    world.set_setpoint(POSTURE_RAD + 0.05, 0.0)
    np.testing.assert_allclose(world.joint_positions(), POSTURE_RAD)
    world.advance(0.25)
    assert world.sim_time_s == pytest.approx(0.25)
    np.testing.assert_allclose(world.joint_positions(), POSTURE_RAD + 0.05, atol=0.01)


def test_the_state_holds_the_tcp_pose_and_both_closures(world):
    world.build(cube_at(0.6, 0.15))
    ArmDriver(world).place_tcp(np.array([0.45, -0.1, 0.2]), closure=0.25)
    world.set_setpoint(world.joint_positions(), 1.0)
    state = world.state()
    np.testing.assert_allclose(state[:6], [0.45, -0.1, 0.2, 0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(state[6:], [1.0, 0.25], atol=1e-3)
    world.advance(0.5)
    np.testing.assert_allclose(world.state()[6:], [1.0, 1.0], atol=0.02)


def test_a_cube_between_the_fingers_stops_them(world):
    world.build(cube_at(0.5, 0.0))
    ArmDriver(world).place_tcp(np.array([0.5, 0.0, 0.02]))
    assert not world.fingers_touch()
    world.set_setpoint(world.joint_positions(), 1.0)
    world.advance(0.5)
    assert world.fingers_touch()
    assert 0.25 < world.closure_measured() < 0.6


def test_going_back_restores_bodies_joints_time_and_gripper(world):
    world.build(cube_at(0.5, 0.0))
    driver = ArmDriver(world)
    driver.place_tcp(np.array([0.5, 0.0, 0.02]), closure=0.1)
    before = world.state(), world.object_pose(), world.sim_time_s, world.render()
    saved = world.save()
    for _ in range(3):
        driver.execute(np.array([0.05, 0.05, 0.0, 0, 0, 0, 1.0]))
    assert np.linalg.norm(world.object_pose()[0] - before[1][0]) > 0.02
    world.restore(saved)
    np.testing.assert_array_equal(world.state(), before[0])
    np.testing.assert_array_equal(world.object_pose()[0], before[1][0])
    assert world.sim_time_s == before[2]
    np.testing.assert_array_equal(world.render(), before[3])


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_every_shape_rests_on_the_table(world, shape):
    world.build(cube_at(0.5, 0.05, shape=shape, extents_m=(0.04,) * 3))
    world.advance(0.5)
    xyz, _ = world.object_pose()
    np.testing.assert_allclose(xyz, [0.5, 0.05, 0.02], atol=0.003)
    assert world.object_speed_m_s() < 0.01


def test_an_unknown_shape_is_named_with_the_known_ones():
    lonely = World()
    with pytest.raises(ValueError, match="unknown object shape 'cone'; known are box, cylinder, sphere"):
        lonely.build(cube_at(0.5, 0.0, shape="cone"))
    lonely.close()


def test_a_place_out_of_reach_is_refused(world):
    with pytest.raises(ValueError, match="no joint positions within limits"):
        ArmDriver(world).place_tcp(np.array([1.5, 0.0, 0.2]))


def test_a_world_can_be_closed_twice():
    lonely = World()
    lonely.close()
    lonely.close()
