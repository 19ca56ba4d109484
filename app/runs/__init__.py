"""Runs of the worker."""
