"""Several models in the same scenes, clean and perturbed: a search in pixels finds the arm and loses the object.

Measured: docs/reports/2026-11-29-studies.md.
"""
