"""Searches for the action sequence of least energy, one file each, and what they share."""
