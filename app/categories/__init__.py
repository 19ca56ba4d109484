"""The team's own categories."""
