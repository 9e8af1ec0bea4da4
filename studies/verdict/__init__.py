"""What a verdict calls done by how far the object is off: 3 cm and less apart from 5 cm and more, in 96 of 100.

Measured: docs/reports/2026-11-29-studies.md.
"""
