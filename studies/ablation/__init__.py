"""Objectives and sizes of data with one budget: only with a term against collapse is the object in the latents.

Measured: docs/reports/2026-11-29-studies.md.
"""
