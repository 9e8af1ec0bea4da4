"""Hears a running planner for people who watch it: what it sees and does, goals and how they ended. No web here."""
