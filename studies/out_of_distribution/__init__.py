"""How often a model finds out of distribution clean, distorted and foreign scenes: never clean ones, nearly always
blind cameras.

Measured: docs/reports/2026-11-29-studies.md.
"""
