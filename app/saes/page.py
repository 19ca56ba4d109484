"""An SAE's page."""

from __future__ import annotations

from dataclasses import dataclass

from app.classes.queries import Key, ScoreInfo
from app.interventions.dense_set import DenseSet
from app.latents.facts import Fact
from app.latents.queries import LatentInfo
from app.pairs.queries import PairInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.page import Page


@dataclass(frozen=True)
class SaePage(Page):
    """An SAE's own page."""

    template = "saes/sae.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """The SAE."""
    facts: list[Fact]
    """Its numbers in this run."""
    pairs: list[PairInfo]
    """Its antipodal pairs, best first."""
    densest: list[LatentInfo]
    """Its densest latents."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes they have."""
    dense_set: DenseSet
    """What breaks without all its dense latents."""
    verdicts: list[tuple[str, str, int, str]]
    """Latents by verdict of the rule: value, words, count, address of the list; empty where it was not applied."""
    training: list[tuple[str, str]]
    """The training report beside the weights: name, value."""
    details: list[tuple[str, str]]
    """sae-lens' configuration and metadata: name, value."""
