"""A run on one page, for a meeting."""
