"""Texts that readers type, read by a model that a process beside the server holds."""
