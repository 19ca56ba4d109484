"""Tokens, contexts and notes found by their words."""
