"""The verdict by rule."""
