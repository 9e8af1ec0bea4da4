"""Closed-loop trials on unseen scenes, baselines to compare with, statistics and reports."""
