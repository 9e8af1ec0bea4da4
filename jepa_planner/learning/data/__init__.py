"""Episodes: files, checks before anything is trained, and what is found in the states of their arms."""
