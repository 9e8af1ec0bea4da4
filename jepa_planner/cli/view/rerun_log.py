"""What a running planner sees, plans and imagines, for Rerun (rerun.io): a file, or a viewer that is open."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import rerun as rr

from jepa_planner.cli.view.imagined_panel import surprise_in_words
from jepa_planner.cli.view.overlay import CANDIDATES, FIRST_STEP, LATER_STEPS
from jepa_planner.nodes.conversions import ConversionError, picture_to_array
from jepa_planner.nodes.watch.goal_log import EndedGoal, EnergyPoint
from jepa_planner.nodes.watch.imagination import Imagined
from jepa_planner.nodes.watch.planner_watch import PlannedPath, PlannerWatch

PERIOD_S, FLUSH_S = 0.1, 5.0
ADDRESSES = ("rerun://", "rerun+http://", "rerun+https://")
JPEG_QUALITY = 85
RADIUS_M, CANDIDATE_RADIUS_M = 0.002, 0.0005


def check_target(target: str) -> None:
    """Raises ValueError for what is neither a file that can be written nor an address."""
    path = Path(target)
    if target.startswith(ADDRESSES) or (path.suffix == ".rrd" and path.resolve().parent.is_dir()):
        return
    raise ValueError(
        f"--rerun {target}: expected a file that ends in .rrd, in a folder that is there, or the address of a viewer, "
        "as in rerun+http://127.0.0.1:9876/proxy"
    )


class RerunLog:
    """Logs what is new in a watch, ten times a second, until it is closed; Rerun stamps it with this computer's clock.

    cameras/VIEW: pictures; plan, candidates: paths of the tcp (m) in the frame of the planner's poses; energy/*;
    unfamiliarity; imagined/VIEW/*: drawings; goals: how they ended, in words.
    """

    def __init__(self, watch: PlannerWatch, target: str) -> None:
        """target: a file to be written, or the address of a viewer that is open, see `check_target`."""
        self._watch = watch
        self._pictures: dict[str, int] = {}
        self._path: PlannedPath | None = None
        self._imagined: Imagined | None = None
        self._point: EnergyPoint | None = None
        self._ended: EndedGoal | None = None
        self._log = rr.RecordingStream("jepa_planner")
        if target.startswith(ADDRESSES):
            self._log.connect_grpc(target)
        else:
            self._log.save(target)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rerun", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Writes what is left."""
        self._closing.set()
        self._thread.join()
        try:
            self._log.flush(timeout_sec=FLUSH_S)
        except RuntimeError as error:
            print(f"not all was logged for Rerun: {error}", file=sys.stderr)
        self._log.disconnect()

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(PERIOD_S)
            try:
                self._log_news()
            except (RuntimeError, ValueError) as error:  # as when the planner changes its model in between
                print(f"not logged for Rerun: {error}", file=sys.stderr)

    def _log_news(self) -> None:
        for name, view in dict(self._watch.views).items():
            if (seen := view.newest) is not None and self._pictures.get(name) != seen.number:
                self._pictures[name] = seen.number
                self._log_picture(f"cameras/{name}", seen.message)
        if (path := self._watch.path) is not None and path is not self._path:
            self._path = path
            self._log_path(path)
        plans, told = self._watch.plans, self._watch.described
        newest = None if plans is None else plans.newest
        if told is not None and newest is not None and newest is not self._imagined:
            self._imagined = newest
            self._log_imagined(newest, told.contract.image.views)
        if (points := self._watch.goals.points) and points[-1] is not self._point:
            self._point = points[-1]
            self._log.log("energy/energy", rr.Scalars(self._point.energy))
            self._log.log("energy/tolerance", rr.Scalars(self._point.tolerance))
            if self._point.verdict:
                self._log.log("verdict", rr.TextLog(self._point.verdict))
            if (unfamiliarity := self._watch.unfamiliarity) is not None:
                self._log.log("unfamiliarity", rr.Scalars(unfamiliarity))
        if (ended := self._watch.goals.ended) and ended[0] is not self._ended:
            self._ended = ended[0]
            self._log.log("goals", rr.TextLog(f"{self._ended.outcome}: {self._ended.message}"))

    def _log_picture(self, name: str, message: object) -> None:
        try:
            pixels = picture_to_array(message)
        except ConversionError as error:
            self._log.log(name, rr.TextLog(str(error), level=rr.TextLogLevel.WARN))
            return
        self._log.log(name, _encoded(pixels))

    def _log_path(self, path: PlannedPath) -> None:
        lines = np.stack([path.points_m[:-1], path.points_m[1:]], axis=1)
        colours = [_rgb(FIRST_STEP)] + [_rgb(LATER_STEPS)] * (len(lines) - 1)
        self._log.log("plan", rr.LineStrips3D(lines, colors=colours, radii=RADIUS_M))
        strengths = [(*_rgb(CANDIDATES), round(255 * float(weight))) for weight in path.weights]
        self._log.log("candidates", rr.LineStrips3D(path.candidates_m, colors=strengths, radii=CANDIDATE_RADIUS_M))

    def _log_imagined(self, imagined: Imagined, views: tuple[str, ...]) -> None:
        kinds = {"came": imagined.came, "after_this_step": imagined.next_step, "after_the_plan": imagined.at_end}
        if imagined.expected is not None:
            kinds["was_imagined"] = imagined.expected
        for kind, pictures in kinds.items():
            for view, pixels in zip(views, pictures, strict=True):
                self._log.log(f"imagined/{view}/{kind}", _encoded(pixels))
        if words := surprise_in_words(imagined):
            self._log.log("imagined", rr.TextLog(words))


def _rgb(colour: str) -> tuple[int, ...]:
    """0 to 255, of a colour as SVG writes it."""
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _encoded(pixels: np.ndarray) -> rr.EncodedImage:
    """A JPEG of uint8 RGB [H, W, 3]."""
    bgr = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return rr.EncodedImage(contents=data.tobytes(), media_type="image/jpeg")
