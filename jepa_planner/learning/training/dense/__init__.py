"""Dense features: an encoder of fine patches, trained by masked latent prediction on video."""
