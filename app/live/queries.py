"""What is asked of the model: a text, of which run, SAE or latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.compare.references import reference_of
from app.http.errors import NotFound, NothingAnalysed
from app.latents.queries import LatentInfo, find_latent
from app.latents.record import LatentRecord, read_latent
from app.live.client import Name
from app.pairs.queries import find_pair
from app.runs.queries import RunInfo, find_run, run_of_sae
from app.saes.queries import find_sae
from app.shared.links import UNPINNED, Pin

Sort = Literal["on", "more"]


@dataclass(frozen=True)
class Asked:
    """A text, and what is to be read of it."""

    run: RunInfo
    text: str
    sort: Sort
    sae: str
    """Slug of the SAE that was chosen; empty: all."""
    one: LatentRecord | None
    """The latent that was named."""
    image: LatentInfo | None
    """Its other pole, where the colours are signed."""
    pole: int
    """+1 where the latent is the positive one."""
    other: int | None
    """The other pole, where it was named."""

    @property
    def saes(self) -> list[Name]:
        """SAEs that are asked for."""
        slug = self.sae if self.one is None else self.one.sae.slug
        return [(one.run, one.slug) for one in self.run.held if one.slug == slug or (not slug and one.n_dense)]

    @property
    def keep(self) -> list[Name]:
        """SAEs that may be asked for next."""
        return [(one.run, one.slug) for one in self.run.held]

    @property
    def latents(self) -> dict[str, list[int]]:
        """Those that were named, by SAE."""
        if self.one is None:
            return {}
        return {self.one.sae.slug: [self.one.index, *([self.image.index] if self.image else [])]}


def asked_of(session: Session, pin: Pin, text: str, sort: Sort, sae: str, latent: str, other: int | None) -> Asked:
    """What an address asks for.

    Raises:
        NothingAnalysed: the store holds no run.
        NotFound: no such run, SAE or latent.
        BadFilter: `latent` names none.
    """
    text = text.replace("\r\n", "\n")  # as forms send it
    if latent:
        return _of_latent(session, pin, text, sort, latent, other)
    run = find_run(session, pin)
    if run is None:
        raise NothingAnalysed
    if sae and sae not in {one.slug for one in run.held}:
        known = ", ".join(one.slug for one in run.held)
        raise NotFound(f"There is no SAE '{sae[:80]}' in {run.words}. It has: {known}.")
    return Asked(run, text, sort, sae, None, None, 1, None)


def _of_latent(session: Session, pin: Pin, text: str, sort: Sort, latent: str, other: int | None) -> Asked:
    named = reference_of(latent)
    pin = pin if named.run is None else Pin(named.run)
    run = run_of_sae(session, named.slug, pin or UNPINNED)
    sae = find_sae(session, run, named.slug)
    record = read_latent(session, sae, named.index)
    image, pole = record.image, record.pole
    if other is not None and (image is None or image.index != other):
        image = find_latent(session, sae, other)
        pair = find_pair(session, sae.analysis_id, named.index, other)
        pole = -1 if pair is not None and pair.negative == named.index else 1
    return Asked(run, text, sort, "", record, image, pole, other)
