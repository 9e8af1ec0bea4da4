"""`jepa-planner camera calibrate`: from pictures of a board to where the camera stands."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.camera.board_arguments import add_board_arguments, board_of
from jepa_planner.cli.camera.place_arguments import add_live_arguments, add_place_arguments, arm_of, cameras_file
from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.calibration.adjustment import Touch
    from jepa_planner.calibration.samples import Samples
    from jepa_planner.core.camera_calibration import Board, CameraCalibration

HELP = "find a camera's lens and its pose in the base frame from pictures of a board"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("samples", type=Path, metavar="DIR", help="folder of pictures with samples.yaml or samples.csv")
    add_place_arguments(parser)
    add_board_arguments(parser)
    parser.add_argument("--frame", default="", help="name of the base frame (that of the samples, or panda_link0)")
    parser.add_argument(
        "--board-pose",
        nargs=9,
        type=float,
        metavar="M",
        help="the board lies still: where the tcp touched its corners 1, 2 and 3, x y z each in the base frame",
    )
    lens = parser.add_argument_group("lens")
    lens.add_argument(
        "--camera-info", type=Path, metavar="FILE", help="the lens, as ROS's camera_calibration writes it"
    )
    lens.add_argument("--keep-intrinsics", action="store_true", help="take the lens from camera_info as it is")
    lens.add_argument(
        "--distortion-model",
        choices=("plumb_bob", "rational_polynomial", "equidistant"),
        default="plumb_bob",
        help="what is found: equidistant for fisheyes (plumb_bob)",
    )
    later = parser.add_argument_group("for `camera check`")
    later.add_argument("--reference", type=Path, metavar="PICTURE", help="the scene without board and arm, to be kept")
    later.add_argument("--table-z", type=float, metavar="M", help="height of the table in the base frame")
    add_live_arguments(parser)
    parser.add_argument("--keys", action="store_true", help="live: a sample at each Enter, not wherever the arm rests")
    parser.add_argument("--touch", action="store_true", help="live: touch the corners of a board that lies still")
    parser.add_argument("--count", type=at_least(1, 1000), default=15, help="live: end after so many samples (15)")
    parser.add_argument("--seed", type=int, default=0, help="of the search for samples that agree")


def main(args: argparse.Namespace) -> int:
    """Read or record, find, say, keep."""
    from jepa_planner.calibration.board import BoardFinder
    from jepa_planner.calibration.calibrate import calibrate
    from jepa_planner.calibration.result import camera_calibration, in_words
    from jepa_planner.calibration.samples import SamplesError, find_sightings, read_samples

    path, board = cameras_file(args), board_of(args)
    finder = BoardFinder(board)
    if args.live:
        from jepa_planner.cli.camera.live import record

        record(args, finder)
    samples = read_samples(args.samples, touched=args.board_pose is not None)
    touch = _touch(args, samples, board)
    if touch is None and any(sample.carrier == "base" for sample in samples.samples):
        raise SamplesError(
            "samples of a board that lies still (carrier: base) need --board-pose, or touched_m beside them"
        )
    given = _given_lens(args, samples)
    sightings, size_px, passed_over = find_sightings(args.samples, samples, finder, arm_of(args))
    for reason in passed_over:
        print(f"passed over: {reason}")
    if given is not None and (given.width_px, given.height_px) != size_px:
        raise SamplesError(
            f"camera_info is of {given.width_px} x {given.height_px} px, pictures are {size_px[0]} x {size_px[1]}"
        )
    lens = given.lens() if given else None
    found = calibrate(sightings, size_px, args.distortion_model, board.square_mm, lens, touch, args.seed)
    frame = args.frame or samples.frame or "panda_link0"
    camera = camera_calibration(found, args.view, frame, board, "tcp" if touch is None else "base")
    print("\n".join(in_words(found, camera)))
    _keep(path, _with_reference(args, camera, path))
    print(f"wrote {path}")
    return 0


def _touch(args: argparse.Namespace, samples: Samples, board: Board) -> Touch | None:
    """The touched corners of a board that lies still, from the command line or beside the samples."""
    import numpy as np

    from jepa_planner.calibration.adjustment import Touch
    from jepa_planner.calibration.board import outer_corners_m

    touched = args.board_pose if args.board_pose is not None else samples.touched_m
    if touched is None:
        return None
    return Touch(outer_corners_m(board), np.reshape(np.asarray(touched, float), (3, 3)))


def _given_lens(args: argparse.Namespace, samples: Samples):
    from jepa_planner.calibration.camera_info import read_camera_info
    from jepa_planner.calibration.samples import SamplesError

    if not args.keep_intrinsics:
        if args.camera_info is not None:
            raise SamplesError("--camera-info is used as it is or not at all: add --keep-intrinsics, or leave it out")
        return None
    given = read_camera_info(args.camera_info) if args.camera_info is not None else samples.lens
    if given is None:
        raise SamplesError("--keep-intrinsics needs a lens: give --camera-info, or `lens` in samples.yaml")
    return given


def _with_reference(args: argparse.Namespace, camera: CameraCalibration, path: Path) -> CameraCalibration:
    """With what a check without a board needs."""
    table_z_m = args.table_z
    if args.board_pose is not None and table_z_m is None:
        table_z_m = sum(args.board_pose[2::3]) / 3
    reference = args.reference or (args.samples / "reference.png" if args.live else None)
    if reference is None or not (args.reference or reference.is_file()):
        return replace(camera, table_z_m=table_z_m)
    from PIL import Image

    from jepa_planner.core.picture_file import PictureError, read_picture

    picture = read_picture(reference)
    if picture.shape[:2] != (camera.height_px, camera.width_px):
        raise PictureError(
            f"{reference} is {picture.shape[1]} x {picture.shape[0]} px, samples {camera.width_px} x {camera.height_px}"
        )
    kept = path.parent / f"{camera.view}_reference.png"
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_name(f".{kept.name}.{os.getpid()}")
    Image.fromarray(picture).save(new, "PNG")
    new.replace(kept)
    return replace(camera, reference_picture=kept.name, table_z_m=table_z_m)


def _keep(path: Path, camera: CameraCalibration) -> None:
    from jepa_planner.core.camera_calibration import save

    save(path, camera)
