"""Solvers compared: from about 100 evaluations on, neither kind nor size of a search decides success.

Measured: docs/reports/2026-11-29-studies.md.
"""
