"""A latent in one sentence, for what leads to its page from elsewhere: previews, cards, panels."""

from __future__ import annotations

from app.latents.queries import LatentInfo
from app.runs.queries import RunInfo
from app.shared.numbers import count, interval, percent


def summary_of(run: RunInfo, latent: LatentInfo, mirror: LatentInfo | None, *said: str) -> str:
    """How often it fires, its mirror image where it has one, and what else is `said` of it."""
    if latent.density == 0:
        return f"Never fires on {count(run.tokens)} tokens of {run.corpus}."
    between = interval(latent.density_low, latent.density_high)
    sure = f" (95 % interval {between})" if between else ""
    other = "" if mirror is None else f", mirror image of latent {mirror.index}"
    first = f"Fires on {percent(latent.density)} of {count(run.tokens)} tokens{sure}{other}."
    return " ".join([first, *(text for text in said if text)])
