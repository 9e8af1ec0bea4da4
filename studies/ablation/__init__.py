"""Objectives and sizes of data with one budget: what each is worth."""
