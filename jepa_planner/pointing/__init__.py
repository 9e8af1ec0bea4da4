"""Goals without a goal picture: what is pointed at is found, cut out, and put where it should be."""
