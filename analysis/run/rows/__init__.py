"""Results -> rows of the store."""
