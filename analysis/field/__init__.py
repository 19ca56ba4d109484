"""Activations without a language model: a matrix of rows, a table beside it, and what its units follow."""
