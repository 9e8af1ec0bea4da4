"""Verbs for model bundles."""

HELP = "say what a model bundle is, make one of released weights, export it, add what it needs to know its limits"
MOVED = {"familiarity": "it is `jepa-planner model out-of-distribution` now"}
