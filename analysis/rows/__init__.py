"""Summaries -> plain rows of the store; knows tensors and tables, neither the stream nor the session."""
