"""Activations that no language model gave: arrays of rows and columns, the table beside them, what is wrong with both."""
