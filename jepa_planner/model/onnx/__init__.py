"""Encoder and predictor as ONNX graphs, written and run."""
