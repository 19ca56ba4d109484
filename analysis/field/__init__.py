"""Activations without a language model: arrays of rows and columns, the table beside them, what is wrong with both."""
