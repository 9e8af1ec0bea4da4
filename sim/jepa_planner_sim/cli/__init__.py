"""The verbs that need the simulator."""
