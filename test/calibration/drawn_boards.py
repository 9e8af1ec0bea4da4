"""Pictures of boards, drawn from a camera that is known: sixteen rays of every pixel meet a drawn board."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.calibration.board import charuco
from jepa_planner.core.camera_calibration import Board

BOARD = Board(7, 5, 30.0, 22.0, "DICT_4X4_50")
FINE = 4
"""Rays along each side of a pixel."""
DOTS_PER_MM = 10.0
WHITE_MM = 10.0
"""Paper around the board."""


def pose(xyz_m, rotation: np.ndarray) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation, xyz_m
    return made


def looking(at_m, from_m, roll_rad: float = 0.0) -> np.ndarray:
    """base_from_camera of a camera that looks at a place, with the base's z up in the picture."""
    at_m, from_m = np.asarray(at_m, float), np.asarray(from_m, float)
    forward = (at_m - from_m) / np.linalg.norm(at_m - from_m)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turned = np.column_stack([right, np.cross(forward, right), forward])
    return pose(from_m, turned @ Rotation.from_euler("z", roll_rad).as_matrix())


@dataclass(frozen=True)
class TrueCamera:
    """A camera as it is; the numbers of a lens as OpenCV has them."""

    base_from_camera: np.ndarray
    width_px: int = 640
    height_px: int = 480
    focal_px: tuple[float, float] = (620.0, 622.0)
    centre_px: tuple[float, float] = (328.3, 235.1)
    distortion: tuple[float, ...] = ()
    fisheye: bool = False

    @property
    def matrix(self) -> np.ndarray:
        (fx, fy), (cx, cy) = self.focal_px, self.centre_px
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """Pixels [N, 2] of points [N, 3] in the base frame."""
        camera_from_base = np.linalg.inv(self.base_from_camera)
        points = (points_m @ camera_from_base[:3, :3].T + camera_from_base[:3, 3]).reshape(-1, 1, 3)
        none, numbers = np.zeros(3), np.array(self.distortion)
        if self.fisheye:
            return cv2.fisheye.projectPoints(points, none, none, self.matrix, numbers)[0].reshape(-1, 2)
        return cv2.projectPoints(points, none, none, self.matrix, numbers)[0].reshape(-1, 2)

    @cached_property
    def rays(self) -> np.ndarray:
        """Where the rays of fine pixels cross the plane one metre ahead, [FINE H, FINE W, 2]."""
        across, down = ((np.arange(FINE * side) + 0.5) / FINE - 0.5 for side in (self.width_px, self.height_px))
        pixels = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 1, 2)
        numbers = np.array(self.distortion)
        if self.fisheye:
            rays = cv2.fisheye.undistortPoints(pixels, self.matrix, numbers)
        elif self.distortion:
            stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-9)
            rays = cv2.undistortPoints(pixels, self.matrix, numbers, criteria=stop)
        else:
            rays = (pixels - self.centre_px) / self.focal_px
        return rays.reshape(FINE * self.height_px, FINE * self.width_px, 2).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """What spoils a picture: blur (px), noise (of 255), light, and what stands before the board."""

    blur_px: float = 0.0
    noise: float = 0.0
    brightness: tuple[float, float] = (30.0, 225.0)
    """Of black and white."""
    slope: float = 0.0
    """Of light, from one side of the picture to the other."""
    hidden: float = 0.0
    """Share of the board behind something grey."""
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))


CLEAR = Look()


def sheet(board: Board) -> tuple[np.ndarray, float]:
    """The drawn board with paper around it, float32 0..1, and its margin in dots."""
    square = round(board.square_mm * DOTS_PER_MM)
    margin = round(WHITE_MM * DOTS_PER_MM)
    drawn = charuco(board).generateImage((board.columns * square, board.rows * square))
    return np.pad(drawn, margin, constant_values=255).astype(np.float32) / 255.0, margin


def draw(camera: TrueCamera, base_from_board: np.ndarray, board: Board = BOARD, look: Look = CLEAR) -> np.ndarray:
    """The picture, uint8 RGB [H, W, 3], over a background of soft shapes."""
    paper, margin = sheet(board)
    camera_from_board = np.linalg.inv(camera.base_from_camera) @ base_from_board
    plane = np.linalg.inv(np.column_stack([camera_from_board[:3, :2], camera_from_board[:3, 3]]))
    rays = camera.rays
    on_board = rays @ plane[:, :2].T.astype(np.float32) + plane[:, 2].astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        dots = on_board[..., :2] / on_board[..., 2:] * np.float32(1000.0 * DOTS_PER_MM) + np.float32(margin - 0.5)
    dots[on_board[..., 2] <= 0.0] = -1e6  # behind the camera
    seen = cv2.remap(paper, dots, None, cv2.INTER_LINEAR, borderValue=-1.0)
    rng = look.rng
    soft = cv2.resize(rng.random((9, 12), dtype=np.float32), seen.shape[::-1], interpolation=cv2.INTER_CUBIC)
    seen = np.where(seen < 0.0, np.clip(0.25 + 0.5 * soft, 0.0, 1.0), seen)
    if look.hidden:
        size = min(board.columns, board.rows) * board.square_mm * DOTS_PER_MM
        middle = rng.uniform(0.2, 0.8, 2) * (board.columns, board.rows) * board.square_mm * DOTS_PER_MM + margin
        away = np.abs(dots - middle.astype(np.float32)).max(axis=-1)
        seen = np.where(away < size * np.sqrt(look.hidden) / 2, 0.4, seen)
    picture = cv2.resize(seen, (camera.width_px, camera.height_px), interpolation=cv2.INTER_AREA)
    if look.blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur_px)
    dark, bright = look.brightness
    light = 1.0 + look.slope * np.linspace(-0.5, 0.5, camera.width_px)
    picture = (dark + (bright - dark) * picture) * light
    picture = picture + rng.normal(0.0, look.noise or 1e-9, picture.shape)
    return np.repeat(np.clip(np.rint(picture), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@dataclass(frozen=True)
class Scene:
    """A camera beside an arm with a board in its gripper, and poses of the tcp at which the board is well seen."""

    camera: TrueCamera
    tcp_from_board: np.ndarray
    base_from_tcp: list[np.ndarray]
    board: Board = BOARD

    def pictures(self, looks=None) -> list[np.ndarray]:
        """One for each pose."""
        looks = looks or [CLEAR] * len(self.base_from_tcp)
        poses = (base_from_tcp @ self.tcp_from_board for base_from_tcp in self.base_from_tcp)
        return [draw(self.camera, at, self.board, look) for at, look in zip(poses, looks, strict=True)]

    def moved(self, base_from_camera: np.ndarray) -> "Scene":
        return replace(self, camera=replace(self.camera, base_from_camera=base_from_camera))


def scene(count: int, seed: int, **lens) -> Scene:
    """A camera about a metre from where an arm turns and shifts the board in all directions."""
    rng = np.random.default_rng(seed)
    camera = TrueCamera(looking((0.45, 0.0, 0.35), (1.25, 0.35, 0.75), 0.05), **lens)
    # the board hangs below the fingers, its middle 6 cm from the tcp, with some turn that nobody measured
    middle = -0.5 * np.array([BOARD.columns, BOARD.rows, 0.0]) * BOARD.square_mm / 1000.0
    grip = Rotation.from_euler("xyz", rng.uniform(-0.3, 0.3, 3)).as_matrix()
    tcp_from_board = pose([0.01, -0.005, 0.06] + grip @ middle, grip)
    facing = camera.base_from_camera[:3, :3]
    poses = []
    while len(poses) < count:
        turn = Rotation.from_rotvec(rng.uniform(-0.6, 0.6, 3)).as_matrix()
        ahead = rng.uniform([-0.26, -0.18, 0.6], [0.26, 0.18, 1.0])
        where = camera.base_from_camera[:3, 3] + facing @ ahead
        base_from_tcp = pose(where, facing @ turn @ grip.T)
        corners = (base_from_tcp @ tcp_from_board)[:3] @ np.column_stack([outline(), np.ones(4)]).T
        pixels = camera.project(corners.T)
        if np.all(pixels > 8) and np.all(pixels < np.array([camera.width_px, camera.height_px]) - 9):
            poses.append(base_from_tcp)
    return Scene(camera, tcp_from_board, poses)


def outline(board: Board = BOARD) -> np.ndarray:
    """The board's four outer corners, [4, 3]."""
    across, down = board.columns * board.square_mm / 1000.0, board.rows * board.square_mm / 1000.0
    return np.array([[0, 0, 0], [across, 0, 0], [across, down, 0], [0, down, 0]], float)


def places(board: Board = BOARD) -> np.ndarray:
    """Of the inner corners on the board, [N, 3]."""
    return np.asarray(charuco(board).getChessboardCorners(), float).reshape(-1, 3)
