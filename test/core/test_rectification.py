from dataclasses import replace

import cv2
import numpy as np
import pytest

from jepa_planner.core.image_message import ConversionError
from jepa_planner.core.rectification import Lens

K = (300.0, 0.0, 159.5, 0.0, 310.0, 119.5, 0.0, 0.0, 1.0)
PLUMB_BOB = Lens(320, 240, "plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.0), K)
RATIONAL = replace(
    PLUMB_BOB, distortion_model="rational_polynomial", distortion=(-0.2, 0.05, 1e-3, 1e-3, 0.01, 0.1, 0.02, 0.0)
)
FISHEYE = replace(PLUMB_BOB, distortion_model="equidistant", distortion=(0.05, -0.01, 0.002, 0.0))


def distorted(lens: Lens, x: float, y: float) -> tuple[float, float]:
    """Where a ray (x, y, 1) meets the picture, written out from the definitions of sensor_msgs/CameraInfo."""
    radius2 = x * x + y * y
    if lens.distortion_model == "equidistant":
        radius = np.sqrt(radius2)
        angle = np.arctan(radius)
        bent = angle * (1 + sum(k * angle ** (2 * power) for power, k in enumerate(lens.distortion, 1)))
        x, y = x * bent / max(radius, 1e-12), y * bent / max(radius, 1e-12)
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = (*lens.distortion, *[0.0] * 8)[:8]
        radial = 1 + k1 * radius2 + k2 * radius2**2 + k3 * radius2**3
        radial /= 1 + k4 * radius2 + k5 * radius2**2 + k6 * radius2**3
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (radius2 + 2 * x * x),
            y * radial + p1 * (radius2 + 2 * y * y) + 2 * p2 * x * y,
        )
    return lens.camera_matrix[0] * x + lens.camera_matrix[2], lens.camera_matrix[4] * y + lens.camera_matrix[5]


@pytest.mark.parametrize("lens", [PLUMB_BOB, RATIONAL, FISHEYE], ids=lambda lens: lens.distortion_model)
@pytest.mark.parametrize("projection", [(), (280.0, 0.0, 150.0, 0.0, 0.0, 290.0, 110.0, 0.0, 0.0, 0.0, 1.0, 0.0)])
def test_each_pixel_is_looked_up_where_its_ray_meets_the_picture(lens, projection):
    (fx, _, cx), (_, fy, cy), _ = np.reshape(projection or np.insert(K, (3, 6, 9), 0.0), (3, 4))[:, :3]
    x_px, y_px = replace(lens, projection=projection or (0.0,) * 12).maps((320, 240))
    for column, row in ((0, 0), (319, 0), (160, 120), (40, 200), (319, 239)):
        expected = distorted(lens, (column - cx) / fx, (row - cy) / fy)
        np.testing.assert_allclose((x_px[row, column], y_px[row, column]), expected, atol=2e-3)


def test_straight_lines_are_straight_again():
    """A line drawn as the lens bends it."""
    picture = np.zeros((240, 320), np.uint8)
    for row in np.arange(0.0, 240.0, 0.05):
        x_px, y_px = distorted(PLUMB_BOB, (20 - K[2]) / K[0], (row - K[5]) / K[4])
        if 0 <= round(x_px) < 320 and 0 <= round(y_px) < 240:
            picture[round(y_px), round(x_px)] = 255
    assert np.ptp(np.nonzero(picture)[1]) >= 5
    rectified = cv2.remap(picture, *PLUMB_BOB.maps((320, 240)), cv2.INTER_LINEAR)
    assert np.ptp(np.nonzero(rectified > 60)[1]) <= 2


def test_a_camera_without_distortion_leaves_pictures_as_they_are():
    for lens in (replace(PLUMB_BOB, distortion=()), replace(PLUMB_BOB, distortion_model="", distortion=(0.0,) * 5)):
        x_px, y_px = lens.maps((320, 240))
        np.testing.assert_allclose(x_px, np.broadcast_to(np.arange(320), (240, 320)), atol=1e-3)
        np.testing.assert_allclose(y_px, np.broadcast_to(np.arange(240)[:, None], (240, 320)), atol=1e-3)


def test_pictures_that_are_cropped_and_binned_by_the_camera_are_parts_of_the_whole():
    whole_x, whole_y = PLUMB_BOB.maps((320, 240))
    part = replace(PLUMB_BOB, offset_px=(100, 60), crop_px=(160, 120))
    x_px, y_px = part.maps((160, 120))
    np.testing.assert_allclose(x_px, whole_x[60:180, 100:260] - 100, atol=2e-3)
    np.testing.assert_allclose(y_px, whole_y[60:180, 100:260] - 60, atol=2e-3)
    half_x, _ = replace(part, binning=(2, 2)).maps((80, 60))
    np.testing.assert_allclose(half_x, x_px[::2, ::2] / 2, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"camera_matrix": (0.0,) * 9}, "camera_info holds no calibration"),
        ({"distortion": (float("nan"),) * 5}, "camera_info holds no calibration"),
        ({"distortion_model": "thin_prism"}, "'thin_prism', expected one of plumb_bob, rational_polynomial, equid"),
        ({"distortion": (0.1, 0.1, 0.1)}, "camera_info has 3 numbers in d, expected 4 or 5 of plumb_bob"),
        ({"width_px": 640, "height_px": 480}, "of pictures of 640 x 480 px, and this one has 320 x 240"),
    ],
)
def test_a_calibration_that_does_not_serve_is_refused(change, says):
    with pytest.raises(ConversionError, match=says):
        replace(PLUMB_BOB, **change).maps((320, 240))
