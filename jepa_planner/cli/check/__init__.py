"""Verbs that look at a model and a camera before an arm moves."""

HELP = "see on two pictures what a model would do, and whether it and the camera are fit for it"
