"""How commands are called, as the end of their help."""

from __future__ import annotations


def examples(*calls: str) -> str:
    """A line each, beneath a head; typer takes an empty line for the end of a line."""
    return "\n\n".join(["Examples:", *(f"dense-latents {call}" for call in calls)])
