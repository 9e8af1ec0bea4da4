"""Several models in the same scenes, clean and perturbed."""
