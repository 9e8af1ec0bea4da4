"""Released V-JEPA 2 and V-JEPA 2-AC weights, read into model bundles."""
