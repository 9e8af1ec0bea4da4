"""Lenses from files that ROS's camera_calibration and camera_info_manager write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from jepa_planner.calibration.lens import EQUIDISTANT, MODELS
from jepa_planner.calibration.samples import GivenLens, SamplesError
from jepa_planner.core.strict_fields import from_plain
from jepa_planner.core.yaml_text import read_yaml

NAMES = {"fisheye": EQUIDISTANT, "": "plumb_bob"}
"""Other names of the same models."""


def read_camera_info(path: Path) -> GivenLens:
    """The lens of a file; raises SamplesError naming the field at fault."""
    try:
        plain = read_yaml(path.read_text(encoding="utf-8"))
        if not isinstance(plain, Mapping):
            raise ValueError("expected a mapping, as camera_calibration writes it")
        size = plain["image_width"], plain["image_height"]
        numbers = plain["camera_matrix"]["data"], plain.get("distortion_coefficients", {}).get("data", [])
        return lens_of(*size, *numbers, plain.get("distortion_model", ""))
    except KeyError as error:
        raise SamplesError(f"{path}: missing field {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise SamplesError(f"{path}: {error}") from error


def lens_of(width_px: int, height_px: int, matrix: Any, distortion: Any, model: str) -> GivenLens:
    """From the fields of a sensor_msgs/CameraInfo; raises ValueError where they say nothing that is known.

    plumb_bob may have zeros for all, as drivers send that were never calibrated: their matrix is zero as well.
    """
    model, numbers = NAMES.get(model, model), [float(number) for number in matrix]
    if model not in MODELS:
        raise ValueError(f"distortion_model is {model!r}, expected one of {', '.join(MODELS)}")
    if len(numbers) != 9 or not numbers[0] > 0.0:
        raise ValueError(f"camera_matrix is {numbers}: the camera was never calibrated, leave out --keep-intrinsics")
    rows = [[float(number) for number in row] for row in np.array(numbers).reshape(3, 3)]
    coefficients = [float(number) for number in distortion][: MODELS[model]]
    plain = {
        "width_px": int(width_px), "height_px": int(height_px), "camera_matrix": rows, "distortion_model": model,
        "distortion": coefficients,
    }  # fmt: skip
    return from_plain(GivenLens, plain, "camera_info")
