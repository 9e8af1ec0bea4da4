"""How much a model's latents weigh an object and the arm."""
