"""Which step failed first in a lost episode: mostly the imagined sub-goal, or the way is uphill for the search.

Measured: docs/reports/2026-11-29-studies.md.
"""
