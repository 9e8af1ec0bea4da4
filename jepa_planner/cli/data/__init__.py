"""Verbs about what was recorded: each a module beside this file."""

HELP = "check episodes, and bring recordings from and to other formats"
