"""What each setting of a planner is worth."""
