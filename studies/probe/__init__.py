"""What latents know of tcp, gripper and object; imagined latents beside copying: an instrument.

Measured: docs/reports/2026-11-29-studies.md.
"""
