"""Where cameras stand: boards to print, pictures of them, the camera's pose from these, and whether it has moved."""
