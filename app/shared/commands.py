"""What to type on the command line, as pages say it; STORE stands for the store, whose address may hold a password."""

from __future__ import annotations

from typing import NamedTuple

from app.shared.language import _


class Place(NamedTuple):
    """Where a latent is, as commands name it."""

    slug: str
    layer: int
    run: int
    latent: int

    def command(self, name: str, more: str = "") -> str:
        """What to type for it."""
        return _("`%(slug)s --run %(run)s%(more)s`", slug=command(name, self.slug), run=self.run, more=more)


def command(name: str, slug: str) -> str:
    """What to type for an SAE."""
    return _("dense-latents %(name)s --db STORE --sae %(slug)s", name=name, slug=slug)
