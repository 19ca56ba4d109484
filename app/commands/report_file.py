"""The report of a store as one file. What is missing is said before anything is made, and half a file is never left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from markupsafe import Markup
from starlette.exceptions import HTTPException

from app.classes.palette import endings
from app.commands.serve import check_database
from app.field import pages as field
from app.http.assets import load
from app.http.errors import ServeError
from app.rendering import Renderer
from app.report import pdf, powerpoint
from app.report.page import report_page
from app.runs import queries as runs
from app.settings import Settings
from app.shared.language import ENGLISH, named, speaking
from app.shared.links import Pin
from app.shared.page import Page
from app.shared.slide import Reported
from app.static_site.snapshot import snapshot


class ReportError(ServeError):
    """A report that cannot be written, in one line."""


@dataclass(frozen=True)
class AlonePage(Page, Reported):
    """The report as a file of its own: nothing is loaded, nothing is linked."""

    template = "report/standalone.html"
    styles: Markup
    """The stylesheet of the pages: a file of ours, no text of anybody's."""


Format = Callable[[AlonePage, Path], None]


def write(db: str, out: Path, pin: Pin, force: bool = False, lang: str = ENGLISH) -> Path:
    """The report in the format that the file's name says.

    Raises:
        ReportError: why not, in one line; nothing was written then.
        ServeError: the database cannot be read.
    """
    out = out.absolute()
    try:
        spoken = named(lang)
    except LookupError as error:
        raise ReportError(error.args[0]) from None
    made = _format(out, force)
    check_database(db)
    try:
        with speaking(spoken):
            _place(read(db, pin), made, out)
    except OSError as error:
        raise ReportError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    return out


def _place(page: AlonePage, made: Format, out: Path) -> None:
    """Beside `out` first: it is there whole, or as it was."""
    with tempfile.TemporaryDirectory(prefix=".report-", dir=out.parent) as folder:
        whole = Path(folder, out.name)
        made(page, whole)
        os.replace(whole, out)


def _format(out: Path, force: bool) -> Format:
    """What makes a file of this name, once it is known that it can be made there."""
    formats: dict[str, Format] = {".html": _html, ".pdf": _pdf, ".pptx": _pptx}
    made = formats.get(out.suffix.lower())
    if made is None:
        raise ReportError(f"--out {out.name}: expected a name that ends in .html, .pdf or .pptx")
    if out.is_dir():
        raise ReportError(f"--out {out}: expected a file; found a folder")
    if not out.parent.is_dir():
        raise ReportError(f"--out {out}: there is no folder {out.parent}")
    if out.exists() and not force:
        raise ReportError(f"--out {out}: the file is there already; --force replaces it")
    if missing := {".pdf": pdf.missing, ".pptx": powerpoint.missing}.get(out.suffix.lower(), str)():
        raise ReportError(missing)
    return made


def read(db: str, pin: Pin) -> AlonePage:
    """What the report says, of one state of the store.

    Raises:
        ReportError: there is no such run, or none at all.
    """
    field.declare()
    with snapshot(db) as session:
        try:
            run = runs.find_run(session, pin)
        except HTTPException as error:
            raise ReportError(error.detail) from None
        if run is None:
            raise ReportError(f"{db} holds no complete run; `dense-latents analyze` or `demo` makes one")
        held = report_page(session, run)
        told = {name.name: getattr(held, name.name) for name in fields(Reported)}
        return AlonePage(title=held.title, nav=held.nav, styles=_styles(), **told)


def _styles() -> Markup:
    return Markup(load(Settings(db="").static, endings()).content("style.css").decode())


def html(page: AlonePage) -> bytes:
    """One file that needs no other."""
    settings = Settings(db="", read_only=True)
    return bytes(Renderer(settings, load(settings.static, endings()))(page).body)


def _html(page: AlonePage, out: Path) -> None:
    out.write_bytes(html(page))


def _pdf(page: AlonePage, out: Path) -> None:
    try:
        pdf.printed(html(page), out)
    except pdf.PrintError as error:
        raise ReportError(str(error)) from None


def _pptx(page: AlonePage, out: Path) -> None:
    gaps = [f"{words} {command}".strip() for words, command in page.missing]
    powerpoint.save(page.slide, page.measured, gaps, str(page.styles), out)
