"""What `jepa-planner train` can be asked for, and which arguments go with it."""

from __future__ import annotations

import argparse

VJEPA = "vjepa"
"""The objective that is not one of the joint ones: it trains an encoder alone."""
GOES_WITH = {
    "": (
        "data",
        "layouts",
        "objective",
        "predictor",
        "predictor_iterations",
        "encoder_iterations",
        "name",
        "demonstrations",
        "sub_goal_iterations",
        "verdict_iterations",
        "keypoints",
        "keypoints_of",
        "device",
        "any_view",
        "augmented",
        "init",
        "base_frame",
        "tcp_frame",
        "trust_data",
    ),
    "predictor_only": (
        "data",
        "predictor",
        "predictor_iterations",
        "init",
        "name",
        "view",
        "learning_rate",
        "batch",
        "device",
        "base_frame",
        "tcp_frame",
        "trust_data",
    ),
    "sub_goals_only": ("init", "demonstrations", "sub_goal_iterations", "keypoints", "keypoints_of", "trust_data"),
    "verdict_only": (
        "init",
        "demonstrations",
        "verdict_iterations",
        "keypoints",
        "keypoints_of",
        "go_on",
        "arm_from_latents",
        "trust_data",
        "out_of_reach",
    ),
    "adapt": ("data", "init", "name", "trust_data"),
    "viewing_decoder_only": ("data", "init", "viewing_decoder_iterations", "trust_data"),
    VJEPA: ("data", "objective", "encoder_iterations", "name", "device", "trust_data"),
}
NEEDS = {
    "": ("data",),
    "predictor_only": ("data", "init"),
    "sub_goals_only": ("init", "demonstrations"),
    "verdict_only": ("init", "demonstrations"),
    "adapt": ("data", "init"),
    "viewing_decoder_only": ("data", "init"),
    VJEPA: ("data",),
}

KINDS = {
    "": "train",
    "predictor_only": "fine-tune",
    "sub_goals_only": "sub-goals",
    "verdict_only": "verdict",
    "adapt": "adapt",
    "viewing_decoder_only": "viewing-decoder",
    VJEPA: "vjepa",
}


def mode_of(args: argparse.Namespace) -> str:
    """A key of GOES_WITH; raises ValueError where an argument does not go with it, or one is missing."""
    alone = [name for name in KINDS if name and getattr(args, name, args.objective == name)]
    if len(alone) > 1:
        raise ValueError(f"{' and '.join(map(_option, alone))}: one after the other, please, each from a bundle")
    mode = alone[0] if alone else ""
    what = _option(mode) if mode else "training encoder and predictor"
    known = {name for names in GOES_WITH.values() for name in names}
    given_options = {name for name in known if getattr(args, name) is not None}
    if strangers := sorted(given_options - set(GOES_WITH[mode])):
        takes = ", ".join(_option(name) for name in GOES_WITH[mode])
        raise ValueError(f"{', '.join(map(_option, strangers))} does not go with {what}, which takes {takes}")
    if missing := [_option(name) for name in NEEDS[mode] if name not in given_options]:
        raise ValueError(f"{what} needs {', '.join(missing)}")
    return mode


def _option(name: str) -> str:
    if name == VJEPA:
        return f"--objective {VJEPA}"
    return f"--{name.replace('_', '-')}"
