"""What each setting of a planner is worth: summed squares much, horizon and size of the search little.

Measured: docs/reports/2026-11-29-studies.md.
"""
