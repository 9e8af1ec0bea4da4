"""Solvers compared: energy reached and success for how many evaluations."""
