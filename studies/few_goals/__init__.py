"""Ways to do with one goal picture: imagined sub-goals solve most, a flat policy and search alone next to nothing.

Measured: docs/reports/2026-11-29-studies.md.
"""
