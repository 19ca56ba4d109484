"""Data without a language model: rows with a group, an order and labels, and the signals of units on them."""
