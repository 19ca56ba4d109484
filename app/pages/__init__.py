"""One frozen dataclass a page: exactly the template's variables. A test compares the two."""

from __future__ import annotations

from app.pages.base import EmptyPage, ErrorPage, Page
from app.pages.experiments import ExperimentPage, ExperimentsPage
from app.pages.latents import LatentPageView, PairPage
from app.pages.overview import BrowsePage, HomePage, LabelsPage, LayersPage, SaePage
from app.pages.reference import ApiDocsPage, MethodsPage
from app.pages.team import AnnotationPage, AnnotationPart

__all__ = [
    "AnnotationPage",
    "AnnotationPart",
    "ApiDocsPage",
    "BrowsePage",
    "EmptyPage",
    "ErrorPage",
    "ExperimentPage",
    "ExperimentsPage",
    "HomePage",
    "LabelsPage",
    "LatentPageView",
    "LayersPage",
    "MethodsPage",
    "Page",
    "PairPage",
    "SaePage",
]
