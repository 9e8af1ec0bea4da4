"""Images to latents and actions to imagined latents: encoder, predictor, contracts and model bundles."""
