"""Activations that are of no language model: what they are of, and a demo of them."""
