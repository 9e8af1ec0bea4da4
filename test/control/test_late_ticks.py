"""Ticks that come late: the arm went on as it was told meanwhile, and setpoints go on from there."""

import numpy as np
import pytest
from arm_rig import HOME_RAD, KINEMATICS, PERIOD_S, Rig

from jepa_planner.control.arm_executive import Mode


@pytest.mark.parametrize("late_s", [0.02, 0.1, 0.2])
def test_a_tick_that_comes_late_goes_on_from_where_the_way_to_rest_led_meanwhile(moving, late_s):
    before, way = moving.sent[-1], moving.executive.stream.way_to_rest()
    moving.now_s += late_s
    moving.tick()
    assert moving.executive.mode is Mode.MOVING
    times_s, path = [0.0, *(p.after_s for p in way)], np.array([before.q_rad, *(p.q_rad for p in way)])
    joints = [np.interp(late_s, times_s, path[:, joint]) for joint in range(7)]
    assert np.max(np.abs(moving.sent[-1].q_rad - joints)) < 0.015
    assert np.linalg.norm(moving.sent[-1].xyz_m - KINEMATICS.tcp_pose(joints)[0]) < 0.006 + 1e-3
    moving.tick(60)
    assert moving.executive.reason == "plan 1 done"
    np.testing.assert_allclose(moving.xyz() - KINEMATICS.tcp_pose(HOME_RAD)[0], (0.0, 0.0, 0.05), atol=1e-4)


@pytest.mark.parametrize("late", [1, 4, 9])
def test_a_tick_that_comes_late_finds_an_arm_that_knew_its_way_further_along_it(late):
    punctual, tardy = Rig(ahead_s=0.1), Rig(ahead_s=0.1)
    for rig in (punctual, tardy):
        rig.tick(2)
        assert rig.offer() == ""
        rig.tick(8)
    punctual.tick(late + 1)
    tardy.now_s += late * PERIOD_S
    tardy.tick()
    np.testing.assert_allclose(tardy.sent[-1].q_rad, punctual.sent[-1].q_rad, atol=1e-12)
    assert tardy.executive.stream.course == punctual.executive.stream.course
    tardy.tick(40)
    assert tardy.executive.reason == "plan 1 done"


def test_a_tick_that_comes_later_than_the_arm_knew_its_way_goes_on_from_where_it_braked_to():
    rig = Rig(ahead_s=0.1)
    rig.tick(2)
    assert rig.offer(duration_s=0.8) == ""
    rig.tick(8)
    way = rig.executive.stream.coming()
    rig.now_s += 0.2
    rig.tick()
    assert rig.executive.mode is Mode.MOVING
    path = np.array([point.q_rad for point in way])
    joints = [np.interp(0.2, [point.after_s for point in way], path[:, joint]) for joint in range(7)]
    assert np.max(np.abs(rig.sent[-1].q_rad - joints)) < 0.015
    rig.tick(120)
    assert rig.executive.reason == "plan 1 done"


def test_a_tick_that_comes_too_soon_says_nothing(moving):
    count = len(moving.sent)
    moving.now_s -= 0.8 * PERIOD_S
    moving.tick()
    assert len(moving.sent) == count


def test_a_process_that_fell_behind_brakes_along_the_way_to_rest_and_says_so(moving):
    way = moving.executive.stream.way_to_rest()
    moving.now_s += 0.5
    moving.tick()
    assert moving.executive.mode is Mode.BRAKING
    assert "no setpoint could be sent for 0.51 s" in moving.executive.reason
    moving.tick(40)
    assert not moving.executive.moving
    np.testing.assert_allclose(moving.sent[-1].xyz_m, KINEMATICS.tcp_pose(way[-1].q_rad)[0], atol=1e-3)


BRAKES = {
    "a stop": lambda rig: rig.executive.stop("asked"),
    "a hold": lambda rig: rig.executive.hold("asked"),
    "two": lambda rig: (rig.executive.hold("asked"), rig.executive.stop("asked")),
    "silent joint states": lambda rig: None,
}
"""What brakes after the arm was told its way, and before it is told another."""


@pytest.mark.parametrize("late_s", [0.04, 0.09, 0.2, 0.5])
@pytest.mark.parametrize("brake", BRAKES)
def test_what_brakes_before_a_late_tick_brakes_from_where_the_arm_has_got_to(brake, late_s):
    rig = Rig(ahead_s=0.1)
    rig.tick(2)
    assert rig.offer(duration_s=0.4) == ""
    rig.tick(8)
    assert rig.executive.moving
    before, way = rig.sent[-1], rig.executive.stream.coming()
    BRAKES[brake](rig)
    rig.now_s += late_s
    setpoint = rig.executive.tick(rig.now_s)
    times_s, path = [0.0, *(p.after_s for p in way)], np.array([before.q_rad, *(p.q_rad for p in way)])
    joints = np.array([np.interp(late_s, times_s, path[:, joint]) for joint in range(7)])
    assert np.max(np.abs(setpoint.q_rad - joints)) < 0.015
