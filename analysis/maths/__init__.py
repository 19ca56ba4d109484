"""Ranks, quantiles, hashes."""
