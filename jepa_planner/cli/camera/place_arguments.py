"""The arguments that say where calibrations are kept, and where the arm is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa_planner.control.kinematics import ArmKinematics


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `cameras_file` and `arm_of` read."""
    parser.add_argument("--view", required=True, metavar="NAME", help="of the camera, as the model calls it")
    parser.add_argument("--model", type=Path, metavar="DIR", help="bundle beside which cameras.yaml is kept")
    parser.add_argument("--cameras", type=Path, metavar="FILE", help="that file elsewhere")
    parser.add_argument("--limits-file", type=Path, metavar="FILE", help="names the arm, for samples with joints")


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a listener to the robot needs."""
    live = parser.add_argument_group("live", "from the running robot, over ROS 2")
    live.add_argument("--live", action="store_true", help="take pictures and arm_state from ROS topics")
    live.add_argument("--image-topic", metavar="TOPIC", help="sensor_msgs/Image (VIEW/image_raw)")
    live.add_argument("--image-transport", choices=("raw", "compressed"), default="raw", help="messages of that topic")
    live.add_argument("--namespace", default="", help="namespace of the planner's nodes")


def cameras_file(args: argparse.Namespace) -> Path:
    """Where calibrations are kept; raises ValueError unless exactly one place is named."""
    from jepa_planner.core.camera_calibration import CAMERAS_FILE

    if (args.model is None) == (args.cameras is None):
        raise ValueError("give --model, the bundle that the camera is for, or --cameras, a file of its own")
    if args.cameras is not None:
        return args.cameras
    if not args.model.is_dir():
        raise ValueError(f"--model {args.model}: no such folder")
    return args.model / CAMERAS_FILE


def arm_of(args: argparse.Namespace) -> ArmKinematics | None:
    """The arm of the limits file, if one is given."""
    if args.limits_file is None:
        return None
    from jepa_planner.control.limits import SafetyLimits

    return SafetyLimits.load(args.limits_file).kinematics()
