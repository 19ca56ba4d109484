"""The SAEs of a run side by side."""
