"""Templates: strict, escaped, and fed by exactly one page dataclass each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from typing import NamedTuple

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from app import vocabulary as wording
from app.classes.groups import fill_of, mark_of, title_of
from app.http.assets import Assets
from app.http.origins import NOWHERE, Here
from app.http.viewer import NOBODY, Viewer
from app.methods.queries import Term
from app.runs.queries import SuiteInfo
from app.settings import Settings
from app.shared.followed import segments
from app.shared.language import kept, of_scripts, plural, spoken, translated
from app.shared.links import Links, at, latent_at, latent_name, neuronpedia, pair_at, sae_at
from app.shared.numbers import (
    boxed,
    coded,
    count,
    date,
    duration,
    fixed,
    interval,
    isolate,
    nats,
    nats_span,
    number,
    percent,
    plain,
    short_hash,
    signed,
)
from app.shared.page import Page
from app.shared.reasons import why
from app.shared.tokens import coloured, stripe
from store import vocabulary


class Tongue(NamedTuple):
    """This page in a language."""

    code: str
    name: str
    """Of the language, in itself."""
    address: str
    """Empty: it is this one."""


@dataclass(frozen=True)
class Given:
    """Variables that every template has besides its page's fields."""

    viewer: Viewer = NOBODY
    """Who looks."""
    here: Here = NOWHERE
    """Where the page is."""
    terms: Mapping[str, Term] = field(default_factory=dict)
    """Statistics by name: tooltips and headings take their words from here."""
    pin: str = ""
    """Query string that keeps a pinned run or suite in links: "run=3", or empty."""
    suites: Sequence[SuiteInfo] = ()
    """What there is to choose from; empty where there is one, or none."""
    of_rows: bool = False
    """Whether the page is of a run of rows of activations: some pages are of text alone."""
    tongues: Sequence[Tongue] = ()
    """The languages that this page can be read in; empty where it has no address, or there is one language."""


IMPLICIT = {given.name for given in fields(Given)}
NOTHING = Given()
json_block = partial(htmlsafe_json_dumps, allow_nan=False, separators=(",", ":"))
"""JSON for a <script type="application/json">: no string in it can end the element."""


class Renderer:
    """Turns a page into HTML whose links lead where `links` says; by default to the server."""

    def __init__(self, settings: Settings, assets: Assets, links: Links | None = None) -> None:
        self.environment = make_environment(settings, links or Links(assets.url))

    def __call__(self, page: Page, status: int = 200, given: Given = NOTHING) -> HTMLResponse:
        """The fields of the page and of what is given are the template's variables, no more and no less."""
        template = self.environment.get_template(page.template)
        variables = {one.name: getattr(of, one.name) for of in (page, given) for one in fields(of)}
        return HTMLResponse(template.render(variables), status)


def make_environment(settings: Settings, links: Links) -> Environment:
    """Jinja with our formats. Autoescape is on for every file, whatever its name."""
    environment = Environment(
        loader=FileSystemLoader(settings.templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(translated, plural, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"tongue": spoken, "kept_language": kept, "of_scripts": of_scripts}
    environment.filters["translated"] = translated
    numbers = (percent, interval, number, fixed, signed, nats, nats_span, count, date, duration, short_hash)
    shown = (*numbers, plain, boxed, coded, isolate, why)
    environment.filters.update({function.__name__: function for function in shown})
    environment.filters["neuronpedia"] = neuronpedia
    environment.filters["json_block"] = json_block
    environment.filters.update(coloured=coloured, stripe=stripe)
    environment.filters.update(class_title=title_of, fill=fill_of, mark=mark_of, followed=segments)
    environment.globals |= {function.__name__: function for function in (at, sae_at, latent_at, latent_name, pair_at)}
    environment.globals |= {"to": links.to, "static_url": links.static_url, "module": links.module, "site": links.site}
    environment.globals["live"] = bool(settings.live)
    environment.globals |= {"codes": vocabulary, "wording": wording}
    environment.filters["packed"] = links.packed
    environment.globals["images"] = settings.images is not None
    environment.globals["term_link"] = partial(term_link, tips=not links.site)
    environment.globals["figure_json"] = lambda spec: json_block(links.figure(spec))
    return environment


def term_link(term: Term | None, link: str, label: str, tips: bool = True) -> Markup:
    """A word of the field: a link to its definition, which also shows on hover and on focus.

    Args:
        tips: the definition stands in the link; a static site has all of them once, in a script.
    """
    return escape(label) if term is None else _defined(link, term.definition if tips else "", str(label))


@lru_cache(maxsize=2_000)
def _defined(link: str, definition: str, label: str) -> Markup:
    tip = Markup(' data-tip="{}"').format(definition) if definition else ""
    return Markup('<a class="term" {}{}>{}</a>').format(Markup(link), tip, label)
