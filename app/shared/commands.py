"""What to type on the command line, as pages say it; STORE stands for the store, whose address may hold a password."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a latent is, as commands name it."""

    slug: str
    layer: int
    run: int
    latent: int

    def command(self, name: str, more: str = "") -> str:
        """What to type for it."""
        return f"`{command(name, self.slug)} --run {self.run}{more}`"


def command(name: str, slug: str) -> str:
    """What to type for an SAE."""
    return f"dense-latents {name} --db STORE --sae {slug}"
