"""From recorded episodes to model bundles, and from model bundles to numbers."""
