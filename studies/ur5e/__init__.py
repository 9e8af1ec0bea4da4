"""A UR5e of others, teleoperated by a script: episodes from it and trials in it, without ROS: an instrument.

The cell itself is in examples/robots. Set MUJOCO_GL=egl; pictures need PyOpenGL.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples" / "robots"))
