"""How far scenes may differ before a model fails: a moved camera is what it bears least.

Measured: docs/reports/2026-11-29-studies.md.
"""
