"""Why the episodes that an evaluation lost were lost, with the expert at its side."""
