"""Closed-loop trials on unseen scenes, floors to compare with, statistics and reports."""
