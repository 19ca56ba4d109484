"""The team's progress with a run."""
