"""How often a model doubts clean, distorted and foreign scenes."""
