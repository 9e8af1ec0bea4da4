"""Samples from the running robot, written down as they are taken."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from jepa_planner.calibration.board import BoardFinder
    from jepa_planner.calibration.samples import Sample
    from jepa_planner.nodes.camera_listener import CameraListener

WAIT_S, POLL_S = 30.0, 0.05


def record(args: argparse.Namespace, finder: BoardFinder) -> None:
    """Fills the folder of samples until there are enough, or Ctrl-C; raises ValueError where it holds some already."""
    from jepa_planner.calibration.samples import SAMPLES_YAML, Samples

    folder: Path = args.samples
    if (folder / SAMPLES_YAML).exists():
        raise ValueError(f"{folder} holds samples already: name a new folder, or leave out --live to use these")
    folder.mkdir(parents=True, exist_ok=True)
    with _listener(args) as listener:
        listener.wait(WAIT_S)
        recording = _Recording(folder, listener, finder, Samples(listener.base_frame, ()))
        try:
            if args.touch:
                recording.touch()
                recording.by_keys(args.count, in_hand=True)
            elif args.keys:
                recording.by_keys(args.count)
            else:
                recording.where_it_rests(args.count)
        except KeyboardInterrupt:
            print("\nthat is all")
        if sys.stdin.isatty():
            recording.reference()


def one_sample(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture, uint8 RGB [H, W, 3], and the pose of the tcp [4, 4] if the arm rests."""
    with _listener(args) as listener:
        listener.wait(WAIT_S, with_arm=False)
        seen, end_s = listener.newest(), time.monotonic() + 2.0
        while seen.base_from_tcp is None and time.monotonic() < end_s:
            time.sleep(POLL_S)
            seen = listener.newest()
        return seen.picture, seen.base_from_tcp


@contextmanager
def _listener(args: argparse.Namespace) -> Iterator[CameraListener]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from jepa_planner.nodes.camera_listener import CameraListener, ListenerError
    from jepa_planner.nodes.start import checked_namespace

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        topic, namespace = args.image_topic or f"{args.view}/image_raw", checked_namespace(args.namespace)
        with CameraListener(topic, namespace, args.image_transport) as listener:
            yield listener
    except ListenerError as error:
        raise ValueError(str(error)) from error
    finally:
        rclpy.shutdown()


class _Recording:
    """Samples in a folder, of which the list is written anew with each."""

    def __init__(self, folder: Path, listener: CameraListener, finder: BoardFinder, samples) -> None:
        self._folder, self._listener, self._finder, self._samples = folder, listener, finder, samples

    def where_it_rests(self, count: int) -> None:
        """A sample wherever the arm rests anew and the board is seen."""
        print(f"move the arm and let it rest, {count} times, the wrist turned otherwise each time; Ctrl-C ends")
        while len(self._samples.samples) < count:
            time.sleep(POLL_S)
            seen = self._listener.newest()
            if seen.base_from_tcp is not None and self._listener.arm.is_new(seen.base_from_tcp):
                self._listener.arm.take(seen.base_from_tcp)
                self._add(seen.picture, seen.base_from_tcp)

    def by_keys(self, count: int, in_hand: bool = False) -> None:
        """A sample at each Enter; in_hand: of a board that is held by hand."""
        what = "hold the board in hand, tilted, in all parts of the picture" if in_hand else "move the arm"
        print(f"{what}; Enter takes a sample, q and Enter ends")
        while len(self._samples.samples) < count and input(f"{len(self._samples.samples)}> ").strip() != "q":
            seen = self._fresh()
            if in_hand:
                self._add(seen.picture, None)
            elif seen.base_from_tcp is None:
                print("the arm does not rest")
            else:
                self._add(seen.picture, seen.base_from_tcp)

    def touch(self) -> None:
        """The corners of a board that lies still, and a picture of it."""
        touched = []
        for corner in (1, 2, 3):
            input(f"touch corner {corner} of the board with the tcp, then Enter ")
            touched.append(tuple(map(float, self._listener.tcp()[:3, 3])))
        self._samples = replace(self._samples, touched_m=tuple(touched))
        while not self._samples.samples:
            input("take the arm out of the picture, the board must not move, then Enter ")
            self._add(self._fresh().picture, None, lies_still=True)

    def reference(self) -> None:
        """A picture of the scene, for checks without a board."""
        if input("clear the scene of board and arm; Enter keeps a picture for later checks, n keeps none ") != "n":
            _write_picture(self._folder / "reference.png", self._fresh().picture)

    def _fresh(self):
        """A picture that was taken from now on, with the arm at rest if it comes to rest soon."""
        before, end_s = self._listener.newest().stamp_s, time.monotonic() + WAIT_S
        seen = self._listener.newest()
        while (seen.stamp_s <= before or seen.base_from_tcp is None) and time.monotonic() < end_s:
            time.sleep(POLL_S)
            seen = self._listener.newest()
            if seen.stamp_s > before + 1.0:
                break
        if seen.stamp_s <= before:
            raise ValueError(f"no new picture came within {WAIT_S:.0f} s")
        return seen

    def _add(self, picture: np.ndarray, base_from_tcp: np.ndarray | None, lies_still: bool = False) -> None:
        from jepa_planner.calibration.board import BoardError
        from jepa_planner.calibration.samples import Sample, write_samples
        from jepa_planner.calibration.transforms import quaternion_xyzw, xyz_m

        name = f"{len(self._samples.samples):03d}.png"
        try:
            corners = self._finder.find(picture, name)
        except BoardError as error:
            print(f"not taken: {error}")
            return
        sample: Sample = Sample(name, carrier="base" if lies_still else None)
        if base_from_tcp is not None:
            sample = replace(sample, xyz_m=xyz_m(base_from_tcp), quaternion_xyzw=quaternion_xyzw(base_from_tcp))
        _write_picture(self._folder / name, picture)
        lens = self._listener.camera_info()  # may come later than pictures
        self._samples = replace(self._samples, samples=(*self._samples.samples, sample), lens=lens)
        write_samples(self._folder, self._samples)
        print(f"{name}: {len(corners.pixels)} corners")


def _write_picture(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, "PNG")
