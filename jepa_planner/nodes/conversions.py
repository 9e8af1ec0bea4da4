"""Messages to arrays and back. Malformed messages raise ConversionError, which says what was expected."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from sensor_msgs.msg import CompressedImage, Image

from jepa_planner.control.kinematics import quaternion_from_rotation, rotation_from_quaternion
from jepa_planner.core.compressed_picture import compressed_pixels, png
from jepa_planner.core.image_message import ConversionError, rgb_pixels


def seconds(stamp: Time | Duration) -> float:
    """A time or duration in seconds."""
    return stamp.sec + stamp.nanosec * 1e-9


def time_message(time_s: float) -> Time:
    """Seconds as a message; negative times become zero."""
    nanoseconds = max(0, round(time_s * 1e9))
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def duration_message(duration_s: float) -> Duration:
    """Seconds as a message."""
    nanoseconds = round(duration_s * 1e9)
    return Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def image_to_array(message: Image) -> np.ndarray:
    """Pixels as uint8 RGB [H, W, 3]; row padding, alpha, 16 bits and the order of channels are taken care of."""
    return rgb_pixels(
        message.encoding, message.height, message.width, message.step, message.data, bool(message.is_bigendian)
    )


def compressed_to_array(message: CompressedImage, name: str = "of a CompressedImage") -> np.ndarray:
    """Pixels as uint8 RGB [H, W, 3]; `name` stands in messages of ConversionError, after "the picture"."""
    return compressed_pixels(message.format, message.data, name)


def picture_to_array(message: Image | CompressedImage) -> np.ndarray:
    """Pixels of either kind of message as uint8 RGB [H, W, 3]."""
    return compressed_to_array(message) if isinstance(message, CompressedImage) else image_to_array(message)


def array_to_image(pixels: np.ndarray, stamp: Time | None = None, frame_id: str = "") -> Image:
    """uint8 RGB [H, W, 3] as a message."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ConversionError(f"image is {pixels.dtype} {list(pixels.shape)}, expected uint8 [H, W, 3]")
    height, width, _ = pixels.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header.frame_id = frame_id
    if stamp is not None:
        message.header.stamp = stamp
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    return message


def array_to_png(pixels: np.ndarray, stamp: Time | None = None, frame_id: str = "") -> CompressedImage:
    """uint8 RGB [H, W, 3] as a message that loses nothing of it."""
    message = CompressedImage(format="png", data=array.array("B", png(pixels)))
    message.header.frame_id = frame_id
    if stamp is not None:
        message.header.stamp = stamp
    return message


def float_array(values: np.ndarray) -> array.array:
    """A float32 sequence field; orders of magnitude faster to send than a list."""
    return array.array("f", np.ascontiguousarray(values, dtype=np.float32).tobytes())


def array_from(values: Sequence[float], shape: tuple[int, ...], what: str) -> np.ndarray:
    """A float32 sequence field as an array [shape]; raises ConversionError when the count is another."""
    flat = np.array(values, dtype=np.float32)
    if flat.size != math.prod(shape):
        raise ConversionError(f"{what} has {flat.size} numbers, expected {' x '.join(map(str, shape))}")
    return flat.reshape(shape)


def point(xyz: Sequence[float] | np.ndarray) -> Point:
    """Three numbers as a point."""
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector(xyz: Sequence[float] | np.ndarray) -> Vector3:
    """Three numbers as a vector."""
    return Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def numbers(message: Point | Vector3) -> np.ndarray:
    """The three numbers of a point or vector, float64."""
    return np.array([message.x, message.y, message.z])


def quaternion(rotation: np.ndarray) -> Quaternion:
    """A rotation matrix [3, 3] as a quaternion."""
    x, y, z, w = map(float, quaternion_from_rotation(rotation))
    return Quaternion(x=x, y=y, z=z, w=w)


def pose(xyz_m: Sequence[float] | np.ndarray, rotation: np.ndarray) -> Pose:
    """A position [3] and a rotation matrix [3, 3] as a pose."""
    return Pose(position=point(xyz_m), orientation=quaternion(rotation))


def rotation_from(message: Quaternion) -> np.ndarray:
    """The rotation matrix [3, 3] of a quaternion; raises ConversionError unless it has length 1."""
    try:
        return rotation_from_quaternion((message.x, message.y, message.z, message.w))
    except ValueError as error:
        raise ConversionError(str(error)) from error
