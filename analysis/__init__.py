"""The worker: reads text through a model and its SAEs, measures, writes the store."""

__version__ = "0.5.0.dev1"
