"""A page printed by Chromium: the only thing at hand that draws what the browser shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from app.shared.language import _

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
VARIABLE = "DENSE_LATENTS_CHROMIUM"
LONGEST = 120
"""Seconds."""


class PrintError(Exception):
    """Chromium made no PDF; in one line, why."""


def browser() -> str | None:
    """Path of a browser that prints; None where there is none."""
    if named := os.environ.get(VARIABLE):
        return shutil.which(named)
    found = (shutil.which(name) for name in (*NAMES, *PLACES))
    return next((path for path in found if path), None)


def missing() -> str:
    """What is not there and what to do; empty where all is."""
    if browser():
        return ""
    if named := os.environ.get(VARIABLE):
        return _("%(variable)s=%(named)s: there is no such program", variable=VARIABLE, named=named)
    return _(
        "a PDF is printed by Chromium or Chrome, and none was found; install one, name it in"
        " %(variable)s, or write report.html and print that from a browser",
        variable=VARIABLE,
    )


def printed(html: bytes, out: Path) -> None:
    """The page as a PDF of the sizes that its stylesheet names.

    Raises:
        PrintError: the browser failed, or took longer than LONGEST.
    """
    with tempfile.TemporaryDirectory(prefix="dense-latents-pdf-") as folder:
        page, made = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_bytes(html)
        _print(_arguments(folder, page, made))
        if not made.exists() or not made.read_bytes().startswith(b"%PDF"):
            raise PrintError(_("%(browser)s made no PDF", browser=browser()))
        shutil.copyfile(made, out)


def _arguments(folder: str, page: Path, made: Path) -> list[str]:
    flags = [
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--no-pdf-header-footer",
        f"--user-data-dir={folder}/user",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium starts for root in no other way; the page is ours and loads nothing
    return [browser() or "", *flags, f"--print-to-pdf={made}", page.as_uri()]


def _print(arguments: list[str]) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, timeout=LONGEST, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PrintError(_("%(arguments)s made no PDF: %(error)s", arguments=arguments[0], error=error)) from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [
            _("exit status %(returncode)s", returncode=done.returncode)
        ]
        raise PrintError(_("%(arguments)s made no PDF: %(last)s", arguments=arguments[0], last=last[0][:200]))
