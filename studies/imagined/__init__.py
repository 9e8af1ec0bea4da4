"""The pictures that models imagine beside those that came: an instrument.

Measured: docs/reports/2026-11-29-studies.md.
"""
