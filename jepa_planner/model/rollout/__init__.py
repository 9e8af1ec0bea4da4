"""Imagined futures of many candidates: the fast path, and the plain one that it is measured and tested against."""
