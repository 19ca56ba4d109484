"""What people write."""

from __future__ import annotations

from dataclasses import dataclass

from app.annotations.activity import Entry
from app.annotations.matrix import Matrix
from app.annotations.panel import AnnotationPanel
from app.annotations.queue import ProgressLine, QueueList
from app.annotations.team_queries import AuthorInfo
from app.categories.lines import CategoryLine, Refused
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.page import Page


@dataclass(frozen=True)
class AnnotationPart(Page):
    """The panel alone, put in its place by a script."""

    template = "annotations/part.html"
    annotation: AnnotationPanel
    """The panel."""


@dataclass(frozen=True)
class AnnotationPage(Page):
    """The panel as a page: where a save was refused, and no script is there."""

    template = "annotations/annotation.html"
    annotation: AnnotationPanel
    """The panel."""


@dataclass(frozen=True)
class TeamPage(Page):
    """How far the team is with a run, where people and the machine differ, and what to look at next."""

    template = "annotations/team.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    everything: ProgressLine
    """Progress over all of its dense latents."""
    progress: list[ProgressLine]
    """The same of each SAE that has dense latents."""
    others: tuple[int, int]
    """Annotated latents that are not dense, and annotated pairs."""
    authors: list[tuple[AuthorInfo, str]]
    """Those who wrote, with the address of what each wrote."""
    categories: Matrix | None
    """Machine class against human category; None where nobody gave one."""
    measured: bool
    """Whether the machine looked for classes in this run."""
    verdicts: Matrix | None
    """The rule's verdict against people's; None where nobody gave one."""
    differs: QueueList
    """Latents of which people and the machine say different things."""
    unseen: QueueList
    """Dense latents of which nobody says anything."""
    first: str
    """Where to start; empty where nothing is left to do."""
    limit: int
    """Latents in each list at most."""
    longer: str
    """Address of the page with longer lists; empty where they are as long as they get."""
    every_unseen: str
    """Address of all latents of which nobody says anything."""


@dataclass(frozen=True)
class ActivityPage(Page):
    """All versions that people saved, newest first."""

    template = "annotations/activity.html"
    entries: list[Entry]
    """Some of them."""
    author: str
    """Whose alone; empty for everybody's."""
    sae: str
    """Of which SAE alone; empty for all."""
    authors: list[str]
    """Names that can be chosen."""
    slugs: list[str]
    """SAEs that can be chosen."""
    older: str
    """Address of the page after this one; empty on the last."""
    newest: str
    """Address of the first page; empty on it."""
    feed: str
    """Address of the same as a feed."""


@dataclass(frozen=True)
class CategoriesPage(Page):
    """The machine's classes and the team's categories, with the forms that change these."""

    template = "categories/categories.html"
    machine: list[CategoryLine]
    """The six classes."""
    own: list[CategoryLine]
    """The team's, those put away last."""
    colours: dict[str, str]
    """The palette: name -> as people read it."""
    making: Refused
    """What the form for a new one holds, and why it was refused, if it was."""
    longest_title: int
    """Characters."""
    longest_description: int
    """Characters."""
