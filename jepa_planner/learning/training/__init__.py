"""Episodes to a model bundle: encoder and predictor training, collapse measures, probes."""
