"""Filtered lists that somebody saved under a name."""
