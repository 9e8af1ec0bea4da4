"""Verbs for where cameras stand."""

HELP = "find out where a camera stands, with a printed board, and later whether it has moved"
