"""Looks from the machine to the motion: every check is a function from what was found to findings."""
