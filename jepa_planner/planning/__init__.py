"""Searching for the actions whose imagined outcome looks like the goal, and when to stop."""
