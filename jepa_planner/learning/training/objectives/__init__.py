"""What the encoder is trained for: predict the next latent, and not by making all latents alike; one term per file."""
