"""Moves a robot arm until the world looks like a picture: world models, planning in latent space, ROS 2 nodes."""

import importlib
import sys
from pathlib import Path
from pkgutil import extend_path

__version__ = "0.1.0"
__all__ = ["Decision", "Planner", "PlannerSettings", "WorldModel"]

_PUBLIC = {
    "Decision": "jepa_planner.planning.decision",
    "Planner": "jepa_planner.planning.planner",
    "PlannerSettings": "jepa_planner.planning.planner_settings",
    "WorldModel": "jepa_planner.model.world_model",
}

# The generated modules jepa_planner.msg, .srv and .action live apart from this source: in a sourced colcon
# workspace (found along sys.path) or where `make setup` installed them in the virtual environment.
__path__ = extend_path(__path__, __name__)
_interfaces = Path(sys.prefix, "lib", "jepa_planner_interfaces", "jepa_planner")
if _interfaces.is_dir():
    __path__.append(str(_interfaces))


def __getattr__(name: str) -> object:
    """What is public, imported when it is first asked for: that takes seconds, in which programs want to answer."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
