"""Runs of somebody's own activations: rows in place of tokens, and pages that begin with the labels."""
