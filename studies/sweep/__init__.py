"""A grid of closed-loop trials: who is tried, in which scenes, with which goal pictures."""
