"""How far scenes may differ before a model fails."""
