"""What a person would look at before training: where the arm was, what it did, and what the cameras saw of it."""
