"""One frozen dataclass a page: exactly the template's variables. A test compares the two."""

from __future__ import annotations

from app.pages.access import LoginPage
from app.pages.base import EmptyPage, ErrorPage, Page
from app.pages.compare import ComparePage
from app.pages.experiments import ExperimentPage, ExperimentsPage
from app.pages.latents import LatentPageView, PairPage
from app.pages.overview import BrowsePage, HomePage, LabelsPage, LayersPage, SaePage
from app.pages.reference import ApiDocsPage, MethodsPage
from app.pages.report import ReportPage
from app.pages.search import SearchPage
from app.pages.share import EmbedPage
from app.pages.site import SiteAnnotationsPage, SiteBrowsePage, SiteSearchPage
from app.pages.team import ActivityPage, AnnotationPage, AnnotationPart, CategoriesPage, TeamPage
from app.pages.views import ViewsPage

__all__ = [
    "ActivityPage",
    "AnnotationPage",
    "AnnotationPart",
    "ApiDocsPage",
    "BrowsePage",
    "CategoriesPage",
    "ComparePage",
    "EmbedPage",
    "EmptyPage",
    "ErrorPage",
    "ExperimentPage",
    "ExperimentsPage",
    "HomePage",
    "LabelsPage",
    "LatentPageView",
    "LayersPage",
    "LoginPage",
    "MethodsPage",
    "Page",
    "PairPage",
    "ReportPage",
    "SaePage",
    "SearchPage",
    "SiteAnnotationsPage",
    "SiteBrowsePage",
    "SiteSearchPage",
    "TeamPage",
    "ViewsPage",
]
