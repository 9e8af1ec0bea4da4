"""`jepa-planner camera check`: whether a camera still stands where it was calibrated."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.camera.place_arguments import add_live_arguments, add_place_arguments, arm_of, cameras_file
from jepa_planner.cli.number_arguments import positive

if TYPE_CHECKING:
    import numpy as np

    from jepa_planner.calibration.adjustment import Sighting
    from jepa_planner.calibration.moved import Movement
    from jepa_planner.core.camera_calibration import CameraCalibration

HELP = "say by how much a camera has moved since; exit status 1 where by more than it may"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "picture", nargs="?", type=Path, metavar="PICTURE", help="from the camera now, or a folder of samples"
    )
    add_place_arguments(parser)
    parser.add_argument(
        "--by",
        choices=("board", "reference"),
        help="the board, or the picture of the scene that was kept (default: the board where it is seen)",
    )
    parser.add_argument(
        "--tcp", nargs=7, type=float, metavar="N", help="x y z (m) qx qy qz qw, for the board in the gripper"
    )
    tolerance = parser.add_argument_group("tolerance")
    tolerance.add_argument("--tolerance-px", type=positive, default=3.0, help="of what stands still (3)")
    tolerance.add_argument("--tolerance-mm", type=positive, default=5.0, help="of the camera's place, by the board (5)")
    tolerance.add_argument("--tolerance-deg", type=positive, default=0.5, help="of its turn, by the board (0.5)")
    add_live_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Look, compare, say; 0 where the camera stands still, 1 where it has moved."""
    import numpy as np

    from jepa_planner.calibration.moved import CheckError, by_board, by_picture
    from jepa_planner.core.camera_calibration import load
    from jepa_planner.core.picture_file import read_picture

    path = cameras_file(args)
    cameras = load(path)
    if (camera := cameras.get(args.view)) is None:
        raise CheckError(f"{path} has no view {args.view}; it has {', '.join(cameras) or 'none'}")
    picture: np.ndarray | None = None
    tcp: np.ndarray | None = None
    if args.live:
        from jepa_planner.cli.camera.live import one_sample

        picture, tcp = one_sample(args)
    elif args.picture is None:
        raise CheckError("give a picture from the camera, a folder of samples, or --live")
    elif not args.picture.is_dir():
        picture = read_picture(args.picture)
    sightings, why = _sightings(args, camera, picture, tcp)
    by_pixels = not sightings
    if sightings:
        movement = by_board(camera, sightings)
    elif args.by == "board" or camera.reference_picture is None or picture is None:
        raise CheckError(f"{why}; no reference picture is kept" if args.by != "board" else why)
    else:
        movement = by_picture(camera, read_picture(path.parent / camera.reference_picture), picture)
    limits = args.tolerance_px, args.tolerance_mm / 1000, float(np.radians(args.tolerance_deg))
    has_moved = movement.exceeds(*limits, by_pixels)
    print("\n".join(_in_words(movement, by_pixels)))
    hangs = not by_pixels and camera.board_pose is not None and camera.board_pose.carrier == "tcp"
    or_board = ", or the board hangs otherwise in the gripper than it did" if hangs else ""
    print(f"{camera.view} has moved{or_board}: calibrate it again" if has_moved else f"{camera.view} stands still")
    return 1 if has_moved else 0


def _sightings(
    args: argparse.Namespace, camera: CameraCalibration, picture: np.ndarray | None, tcp: np.ndarray | None
) -> tuple[list[Sighting], str]:
    """The board at places that are known; where there is none, why."""
    from jepa_planner.calibration.adjustment import Sighting
    from jepa_planner.calibration.board import BoardError, BoardFinder
    from jepa_planner.calibration.moved import CheckError
    from jepa_planner.calibration.samples import Sample, carrier_pose, find_sightings, read_samples

    if args.by == "reference" or camera.board is None or camera.board_pose is None:
        return [], f"the calibration of {camera.view} keeps no board"
    finder, on_base = BoardFinder(camera.board), camera.board_pose.carrier == "base"
    if picture is None:
        samples = read_samples(args.picture, touched=on_base)
        sightings, size_px, passed_over = find_sightings(args.picture, samples, finder, arm_of(args))
        kept = [s for s in sightings if s.base_from_carrier is not None]
    else:
        size_px = picture.shape[1], picture.shape[0]
        try:
            corners = finder.find(picture, str(args.picture or "the picture"))
        except BoardError as error:
            return [], str(error)
        if on_base:
            tcp = carrier_pose(Sample("", carrier="base"), None)
        elif args.tcp is not None:
            tcp = carrier_pose(Sample("--tcp", tuple(args.tcp[:3]), tuple(args.tcp[3:])), None)
        elif tcp is None:
            raise CheckError("the board is in the gripper: say where the tcp is with --tcp, or use --live")
        kept, passed_over = [Sighting("now", corners, tcp)], []
    if size_px != (camera.width_px, camera.height_px):
        raise CheckError(
            f"pictures are {size_px[0]} x {size_px[1]} px, the calibration {camera.width_px} x {camera.height_px}"
        )
    return kept, "; ".join(passed_over)


def _in_words(movement: Movement, by_pixels: bool) -> list[str]:
    import numpy as np

    what = "the scene" if by_pixels else "the board"
    lines = [f"{what} is seen {movement.shift_px:.1f} px from where it was"]
    if by_pixels and abs(movement.roll_deg) > 45.0:
        lines.append(f"the picture is turned by {movement.roll_deg:.0f} degrees")
    if movement.shift_m is None or movement.turn_rad is None:
        return lines
    millimetres = ", ".join(f"{1000 * part:+.1f}" for part in movement.shift_m)
    by, turn = 1000 * float(np.linalg.norm(movement.shift_m)), float(np.degrees(movement.turn_rad))
    if by_pixels:
        place = f"estimate, if what is seen lies on the table: the camera moved by {by / 10:.1f} cm"
        return [*lines, f"{place} and turned by {turn:.1f} degrees"]
    lines.append(
        f"the camera moved by {by:.1f} mm ({millimetres}; +- {1000 * movement.std_m:.1f}) and turned by {turn:.2f} "
        f"degrees (+- {np.degrees(movement.std_rad):.2f})"
    )
    return lines
