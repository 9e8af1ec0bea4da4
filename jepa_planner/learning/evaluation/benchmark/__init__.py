"""How fast encoding, imagining and planning are on a machine, and how near to what it can multiply."""
