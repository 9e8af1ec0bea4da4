import cv2
import numpy as np
import pytest

from jepa_planner.calibration.lens import Lens

LENSES = {
    "plumb_bob": (-0.3, 0.12, 0.001, -0.001, -0.02), "rational_polynomial": (0.3, 0.1, 0.0, 0.0, 0.02, 0.6, 0.2, 0.05),
    "equidistant": (0.05, -0.02, 0.01, -0.003),
}  # fmt: skip


@pytest.mark.parametrize("model", LENSES)
def test_rays_lead_back_to_their_pixels(model):
    lens = Lens.given(640, 480, model, (400.0, 405.0, 318.0, 243.0), LENSES[model])
    places = np.random.default_rng(0).uniform(-0.7, 0.7, (50, 2))
    pixels = lens.project(np.column_stack([places, np.ones(50)]))
    assert lens.rays(pixels) == pytest.approx(places, abs=1e-7)


def test_a_lens_projects_as_opencv_does():
    lens = Lens.given(640, 480, "plumb_bob", (400.0, 405.0, 318.0, 243.0), LENSES["plumb_bob"])
    points = np.random.default_rng(0).uniform([-0.5, -0.5, 0.8], [0.5, 0.5, 1.5], (20, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, lens.distortion)
    assert lens.project(points) == pytest.approx(expected.reshape(-1, 2))
