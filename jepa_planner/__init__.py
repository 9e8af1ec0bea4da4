"""Moves a robot arm until the world looks like a picture: world models, planning in latent space, ROS 2 nodes."""

import sys
from pathlib import Path
from pkgutil import extend_path

__version__ = "0.1.0"

# The generated modules jepa_planner.msg, .srv and .action live apart from this source: in a sourced colcon
# workspace (found along sys.path) or where `make setup` installed them in the virtual environment.
__path__ = extend_path(__path__, __name__)
_interfaces = Path(sys.prefix, "lib", "jepa_planner_interfaces", "jepa_planner")
if _interfaces.is_dir():
    __path__.append(str(_interfaces))
