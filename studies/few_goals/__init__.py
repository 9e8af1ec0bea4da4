"""One goal picture: imagined moments beside retrieved ones, search alone and a flat policy."""
