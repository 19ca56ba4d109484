"""The model and the SAEs of the suite that is shown, checked by hash as interventions check them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.interventions.subject import Stored, load_model_of, look_up, same_sae
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae, load_sae

Name = tuple[int, str]
"""An SAE as one run saw it: the run's id, the SAE's slug."""


@dataclass(frozen=True)
class Held:
    """An SAE at hand."""

    stored: Stored
    model: LanguageModel
    sae: LoadedSae


class Shelf:
    """What is held in memory: one model and SAEs that go with it, or several where a suite has several.

    Args:
        db: the store.
    """

    def __init__(self, db: str) -> None:
        self.db = db
        self.held: dict[Name, Held] = {}

    def missing(self, wanted: Iterable[Name]) -> list[Name]:
        """Those that are not here."""
        return [name for name in wanted if name not in self.held]

    def load(self, wanted: Iterable[Name], keep: Iterable[Name]) -> None:
        """Bring what is wanted; what neither is wanted nor to be kept goes first, so that memory holds one suite.

        Raises:
            UserError: no such analysis, or what was found is not what was analysed.
        """
        names = list(wanted)
        stay = {*names, *keep}
        self.held = {name: one for name, one in self.held.items() if name in stay}
        for name in self.missing(names):
            self.held[name] = self._load(name)

    def _load(self, name: Name) -> Held:
        run, slug = name
        stored = look_up(self.db, slug, run)
        same = [one for one in self.held.values() if one.stored.model_fingerprint == stored.model_fingerprint]
        twin = next((one for one in same if one.stored.sha256 == stored.sha256), None)
        sae = load_sae(stored.source) if twin is None else twin.sae
        same_sae(stored, sae, "--weights")
        how = (stored.settings.get("model_dtype"), stored.settings.get("prepend_bos", True), sae.centred)
        known = (one.model for one in same if _how(one) == how)
        model = next(known, None) or load_model_of(stored, centred=sae.centred)
        if twin is None and model.device.type != "cpu":
            sae = load_sae(stored.source, device=str(model.device))
        return Held(stored, model, sae)


def _how(held: Held) -> tuple[object, ...]:
    settings = held.stored.settings
    return settings.get("model_dtype"), settings.get("prepend_bos", True), held.sae.centred
