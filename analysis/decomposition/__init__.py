"""What a signal follows: how much of its variance each source predicts out of fold (docs/methods.md §15)."""
