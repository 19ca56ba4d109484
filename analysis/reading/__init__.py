"""Corpus formats -> documents -> sections -> batches; the model, its hook points, the SAE."""
