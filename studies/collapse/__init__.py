"""What keeps patch tokens from collapsing, and how far supervision would bring them."""
