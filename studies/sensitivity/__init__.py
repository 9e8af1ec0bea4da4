"""How much latents weigh an object and the arm: too little of the object, where each scene has its own table.

Measured: docs/reports/2026-11-29-studies.md.
"""
