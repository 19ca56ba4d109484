"""All that interventions say of some latents of one SAE, read at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.interventions import effects
from app.interventions import queries as interventions
from app.interventions.effects import Dot, EffectInfo
from app.interventions.queries import InterventionInfo
from store.vocabulary import ABLATE, STEER


@dataclass(frozen=True)
class Causal:
    """Interventions of one analysis, and the effects on a page's latents and pairs."""

    ablation: InterventionInfo | None
    steer: InterventionInfo | None
    effects: list[EffectInfo]
    dots: list[Dot]
    """All single latents of the SAE and their controls, for the plot."""

    def of(self, *indices: int) -> EffectInfo | None:
        """The effect of exactly these latents, one or two, in either order."""
        wanted = set(indices)
        return next((one for one in self.effects if {one.index, one.other} - {None} == wanted), None)

    @property
    def epsilon(self) -> float | None:
        """Changes of the loss within +- this count as none."""
        return None if self.ablation is None else self.ablation.epsilon


def causal_of(session: Session, analysis_id: int, indices: list[int], plotted: bool = True) -> Causal:
    """Two queries more where the SAE was ablated; the second only where a plot is made."""
    done = interventions.interventions_of(session, analysis_id)
    ablation = done.get(ABLATE)
    if ablation is None:
        return Causal(None, done.get(STEER), [], [])
    found = effects.effects_of(session, ablation.id, indices)
    dots = effects.dots_of(session, ablation.id) if found and plotted else []
    return Causal(ablation, done.get(STEER), found, dots)
