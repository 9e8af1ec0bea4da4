"""All unknowns at once, so that every corner is seen where it was: a bundle adjustment along the arm's poses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import least_squares

from jepa_planner.calibration.board import Corners
from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import cross, from_vector, inverse, moved, to_vector, turn_by_vector

TOUCH_STD_M = 1e-3
"""How well a corner is touched with the tcp."""
CENTRE_STD = 0.05
DISTORTION_STDS = {
    "plumb_bob": (1.0, 1.0, 0.005, 0.005, 1.0),
    "rational_polynomial": (1.0, 1.0, 0.005, 0.005, 1.0, 1.0, 1.0, 1.0),
    "equidistant": (0.5, 0.5, 0.5, 0.5),
}
"""What is known of any lens: how far its centre is from the picture's, as a share of its width, and how large its
numbers of distortion are. It decides only what pictures leave open.
"""
LOSS_STDS = 3.0
LEAST_CORNER_PX, LEAST_ARM_M = 0.01, 1e-5
ROUNDS, SAME_SHARE = 5, 0.1


@dataclass(frozen=True)
class Noise:
    """Standard deviations of corners, and of the arm's poses, which are wrong by so much at the tcp (m) and turned by
    as much as moves what is TURN_REACH_M away by it.
    """

    corner_px: float = 0.2
    arm_m: float = 5e-4

    def arm(self) -> np.ndarray:
        """Of the numbers [6] by which a pose is wrong, turn first."""
        return np.repeat([self.arm_m / TURN_REACH_M, self.arm_m], 3)


TURN_REACH_M = 0.5


@dataclass(frozen=True)
class Sighting:
    """A board in one picture, and the pose of what carries it, None where that is not known."""

    name: str
    corners: Corners
    base_from_carrier: np.ndarray | None


@dataclass(frozen=True)
class Touch:
    """Outer corners of the board on it [3, 3] (m), and where the tcp touched them in the base frame [3, 3]."""

    places_m: np.ndarray
    base_m: np.ndarray


@dataclass(frozen=True)
class Unknowns:
    """What is looked for. free: of pictures whose carrier is not known, where the board was before the camera."""

    lens: Lens
    base_from_camera: np.ndarray = field(default_factory=lambda: np.eye(4))
    carrier_from_board: np.ndarray = field(default_factory=lambda: np.eye(4))
    camera_from_board: dict[str, np.ndarray] = field(default_factory=dict)
    scale: float = 1.0
    """True size of the board over the one that was given."""


@dataclass(frozen=True)
class Fit:
    """The unknowns, what is left of every picture's corners [N, 2] (px), by how much each pose of the arm seems wrong
    [6] (turn in rad and shift in m, in the tcp's frame), the noise that this speaks of, and the covariance of all that
    was fitted.
    """

    unknowns: Unknowns
    left_px: dict[str, np.ndarray]
    arm_off: dict[str, np.ndarray]
    noise: Noise
    covariance: np.ndarray
    place: dict[str, slice]
    """Of `camera` and `board` (rad and m, axis times angle first), `lens` and `scale` in the covariance."""

    def std(self, name: str) -> np.ndarray:
        """Standard deviations of a part."""
        return np.sqrt(np.diag(self.covariance)[self.place[name]])

    def turn_std_rad(self) -> np.ndarray:
        """Of a turn of the camera about the base frame's axes, [3]."""
        part = self.place["camera"]
        turn = turn_by_vector(to_vector(self.unknowns.base_from_camera)[:3])
        of_vector = self.covariance[part, part][:3, :3]
        return np.sqrt(np.diag(turn @ of_vector @ turn.T))

    def error_px(self) -> float:
        """Root mean square over all corners, of the distance in the picture."""
        left = np.concatenate(list(self.left_px.values()))
        return float(np.sqrt(np.mean(np.sum(left**2, axis=1))))


class _Last:
    """A function that keeps its last result: scipy asks for values and slopes one after the other."""

    def __init__(self, function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
        self._function, self._at = function, np.empty(0)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not np.array_equal(x, self._at):
            self._at, self._result = x.copy(), self._function(x)
        return self._result


class Adjustment:
    """Least squares over corners of sightings. Those with a carrier share a camera and a board; others are free.

    lens, scale, board: whether they are looked for. touch: fixes the board where it lies still, without it carriers are
    poses of an arm, which are a little wrong each, to first order of what they are wrong by.
    """

    def __init__(
        self,
        sightings: Sequence[Sighting],
        lens: bool,
        scale: bool = False,
        touch: Touch | None = None,
        board: bool = True,
    ) -> None:
        self._sightings, self._touch = tuple(sightings), touch
        self._with_lens, self._with_scale, self._with_board = lens, scale, board
        self._pixels = np.concatenate([sighting.corners.pixels for sighting in sightings])
        self._points = np.concatenate([sighting.corners.points_m for sighting in sightings])
        counts = [len(sighting.corners.pixels) for sighting in sightings]
        ends = np.cumsum(counts)
        self._rows = {s.name: slice(end - n, end) for s, n, end in zip(sightings, counts, ends, strict=True)}
        self._carried = [sighting for sighting in sightings if sighting.base_from_carrier is not None]
        self._corner_rows = self._pixels.size
        self._free = [sighting.name for sighting in sightings if sighting.base_from_carrier is None]
        self._arm = [sighting.name for sighting in self._carried] if touch is None and board else []

    def fit(self, start: Unknowns, noise: Noise, loss: str = "soft_l1", loss_stds: float = LOSS_STDS) -> Fit:
        """From a start that is near; loss: of scipy, what is off by more than loss_stds pulls less."""
        self._start, self._noise = start, noise
        self._lay_out(start)
        evaluated = _Last(self._evaluate)
        found = least_squares(
            lambda x: evaluated(x)[0],
            self._vector(start),
            lambda x: evaluated(x)[1],
            loss=loss,
            f_scale=loss_stds,
            x_scale="jac",
            ftol=1e-6,
            max_nfev=200,
        )
        left, slopes = self._evaluate(found.x)
        pixels = noise.corner_px * left[: self._corner_rows].reshape(-1, 2)
        weighted = slopes / np.sqrt(1.0 + (left / loss_stds) ** 2)[:, None]
        covariance = np.linalg.pinv(slopes.T @ weighted, hermitian=True)
        return Fit(
            unknowns=self._unknowns(found.x),
            left_px={name: pixels[rows] for name, rows in self._rows.items()},
            arm_off={name: found.x[self._place[f"arm {name}"]] for name in self._arm},
            noise=self._noise_of(left, slopes, covariance),
            covariance=covariance,
            place=dict(self._place),
        )

    def fit_with_noise(self, start: Unknowns, noise: Noise) -> Fit:
        """`fit` with the noise that it speaks of itself, from a first guess of that."""
        for _ in range(ROUNDS):
            fit = self.fit(start, noise)
            ratios = np.array([fit.noise.corner_px / noise.corner_px, fit.noise.arm_m / noise.arm_m])
            start, noise = fit.unknowns, fit.noise
            if np.all(np.abs(np.log(ratios)) < SAME_SHARE):
                break
        return fit

    def _lay_out(self, start: Unknowns) -> None:
        sizes: dict[str, int] = {}
        if self._carried:
            sizes |= {"camera": 6, "board": 6} if self._with_board else {"camera": 6}
        if self._with_lens:
            sizes["lens"] = len(start.lens.numbers)
        if self._with_scale:
            sizes["scale"] = 1
        sizes |= {f"free {name}": 6 for name in self._free} | {f"arm {name}": 6 for name in self._arm}
        ends = np.cumsum(list(sizes.values()))
        self._place = {name: slice(int(end) - n, int(end)) for (name, n), end in zip(sizes.items(), ends, strict=True)}
        self._count = int(ends[-1])
        self._count_shared = sum(count for name, count in sizes.items() if " " not in name)

    def _vector(self, unknowns: Unknowns) -> np.ndarray:
        parts = {
            "camera": to_vector(unknowns.base_from_camera), "board": to_vector(unknowns.carrier_from_board),
            "lens": unknowns.lens.numbers, "scale": np.array([unknowns.scale]),
        }  # fmt: skip
        parts |= {f"free {name}": to_vector(unknowns.camera_from_board[name]) for name in self._free}
        parts |= {f"arm {name}": np.zeros(6) for name in self._arm}
        return np.concatenate([parts[name] for name in self._place])

    def _unknowns(self, x: np.ndarray) -> Unknowns:
        given, place = self._start, self._place
        return replace(
            given,
            lens=given.lens.with_numbers(x[place["lens"]]) if "lens" in place else given.lens,
            base_from_camera=from_vector(x[place["camera"]]) if "camera" in place else given.base_from_camera,
            carrier_from_board=from_vector(x[place["board"]]) if "board" in place else given.carrier_from_board,
            camera_from_board=given.camera_from_board
            | {name: from_vector(x[place[f"free {name}"]]) for name in self._free},
            scale=float(x[place["scale"]][0]) if "scale" in place else given.scale,
        )

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is left [rows] in standard deviations, corners first, then poses of the arm, and how it changes with the
        unknowns [rows, unknowns].
        """
        unknowns = self._unknowns(x)
        count = len(self._pixels)
        places, of_places = np.empty((count, 3)), np.zeros((count, 3, self._count))
        for sighting in self._sightings:
            mine = self._rows[sighting.name]
            places[mine], of_places[mine] = self._place_of(sighting, unknowns, x)
        seen, by_place, by_lens = unknowns.lens.project_with_slopes(places)
        slopes: np.ndarray = by_place @ of_places / self._noise.corner_px
        if "lens" in self._place:
            slopes[:, :, self._place["lens"]] += by_lens / self._noise.corner_px
        left = [(seen - self._pixels).ravel() / self._noise.corner_px]
        rows: list[np.ndarray] = [slopes.reshape(2 * count, -1)]
        if self._arm:
            weights = np.tile(1.0 / self._noise.arm(), len(self._arm))
            part = np.eye(self._count)[self._place[f"arm {self._arm[0]}"].start :]
            left.append(weights * (part @ x))
            rows.append(weights[:, None] * part)
        if self._touch is not None and self._carried:
            off, by_x = self._touch_rows(self._touch, unknowns, x)
            left.append(off)
            rows.append(by_x)
        if "lens" in self._place:
            off, by_x = self._lens_rows(unknowns.lens)
            left.append(off)
            rows.append(by_x)
        return np.concatenate(left), np.concatenate(rows)

    def _place_of(self, sighting: Sighting, unknowns: Unknowns, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corners in the camera's frame [N, 3], and how they change with the unknowns [N, 3, unknowns]."""
        points = self._points[self._rows[sighting.name]]
        slopes = np.zeros((len(points), 3, self._count))
        if sighting.base_from_carrier is None:
            part, pose = self._place.get(f"free {sighting.name}"), unknowns.camera_from_board[sighting.name]
            into = np.eye(3)
        else:
            part, pose = self._place.get("board"), unknowns.carrier_from_board
            camera_from_carrier = inverse(unknowns.base_from_camera) @ sighting.base_from_carrier
            into = camera_from_carrier[:3, :3]
        turned = points @ pose[:3, :3].T
        if part is not None:
            turn = turn_by_vector(x[part][:3])
            slopes[:, :, part.start : part.start + 3] = into @ -cross(unknowns.scale * turned) @ turn
            slopes[:, :, part.start + 3 : part.stop] = into
        if "scale" in self._place:
            slopes[:, :, self._place["scale"]] = (turned @ into.T)[:, :, None]
        places = unknowns.scale * turned + pose[:3, 3]
        if sighting.base_from_carrier is None:
            return places, slopes
        if (arm := self._place.get(f"arm {sighting.name}")) is not None:
            slopes[:, :, arm.start : arm.start + 3] = into @ -cross(places)
            slopes[:, :, arm.start + 3 : arm.stop] = into
            twist = np.eye(3) + cross(x[arm][:3])
            slopes[:, :, : self._count_shared] = (into @ twist @ into.T) @ slopes[:, :, : self._count_shared]
            places = places @ twist.T + x[arm][3:]
        camera = self._place["camera"]
        in_base = moved(sighting.base_from_carrier, places) - unknowns.base_from_camera[:3, 3]
        back = unknowns.base_from_camera[:3, :3].T
        slopes[:, :, camera.start : camera.start + 3] = back @ cross(in_base) @ turn_by_vector(x[camera][:3])
        slopes[:, :, camera.start + 3 : camera.stop] = -back
        return in_base @ back.T, slopes

    def _touch_rows(self, touch: Touch, unknowns: Unknowns, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part = self._place["board"]
        turned = touch.places_m @ unknowns.carrier_from_board[:3, :3].T
        off = unknowns.scale * turned + unknowns.carrier_from_board[:3, 3] - touch.base_m
        slopes = np.zeros((len(off), 3, self._count))
        slopes[:, :, part.start : part.start + 3] = -cross(unknowns.scale * turned) @ turn_by_vector(x[part][:3])
        slopes[:, :, part.start + 3 : part.stop] = np.eye(3)
        if "scale" in self._place:
            slopes[:, :, self._place["scale"]] = turned[:, :, None]
        return off.ravel() / TOUCH_STD_M, slopes.reshape(off.size, -1) / TOUCH_STD_M

    def _lens_rows(self, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
        middle = (np.array([lens.width_px, lens.height_px]) - 1) / 2
        off = np.concatenate([lens.focal_and_centre_px[2:] - middle, lens.distortion])
        stds = [*[CENTRE_STD * lens.width_px] * 2, *DISTORTION_STDS[lens.model]]
        weights = 1.0 / np.array(stds)
        slopes = np.zeros((len(off), self._count))
        start = self._place["lens"].start + 2
        slopes[np.arange(len(off)), start + np.arange(len(off))] = weights
        return weights * off, slopes

    def _noise_of(self, left: np.ndarray, slopes: np.ndarray, covariance: np.ndarray) -> Noise:
        """By what is left of corners and of the arm's poses, each over what unknowns leave them free: Helmert's way."""
        found = []
        before = self._noise
        for std, rows in (
            (before.corner_px, slice(0, self._corner_rows)),
            (before.arm_m, slice(self._corner_rows, self._corner_rows + 6 * len(self._arm))),
        ):
            part = slopes[rows]
            free = len(part) - float(np.einsum("ni,ij,nj->", part, covariance, part, optimize=True))
            weights = 1.0 / np.sqrt(1.0 + (left[rows] / LOSS_STDS) ** 2)
            found.append(std * np.sqrt(float(weights @ left[rows] ** 2) / free) if free > 1.0 else std)
        return Noise(max(LEAST_CORNER_PX, found[0]), max(LEAST_ARM_M, found[1]))
