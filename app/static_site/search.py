"""What the search of a site looks through: tokens, the strongest contexts, and notes.

The texts themselves, each once, with the latents they belong to: reading a megabyte through takes a browser a few
milliseconds, an index of words would be larger and find no phrases.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.latents import profiles
from app.latents import queries as latents
from app.shared.numbers import boxed, plain
from app.static_site.plan import Plan
from app.static_site.rows import Rows, Table

LISTS = ("top_tokens", "top_tokens_mass", "promoted", "suppressed")
SHOWN = 10
"""Tokens of each list: as many as the latent's page shows."""
CONTEXTS = 4
"""Contexts of each latent: its strongest."""
_BATCH = 200


def search_data(session: Session, plan: Plan, rows: Rows) -> dict[str, Any]:
    """Of each latent with a page: its row, tokens it fires on, tokens it promotes or suppresses, contexts."""
    tokens, documents, texts = Table(), Table(), Table()
    titles: list[int] = []
    made: list[list[Any]] = []
    for sae in plan.saes:
        paged = plan.latents[sae.analysis_id]
        for start in range(0, len(paged), _BATCH):
            batch = paged[start : start + _BATCH]
            lists = profiles.token_lists(session, [(sae.analysis_id, index) for index in batch], LISTS)
            shown_of = latents.find_examples(session, sae.analysis_id, batch, ("top",))
            for index in batch:
                of = [lists.get((sae.analysis_id, index, name), [])[:SHOWN] for name in LISTS]
                on, moved = (
                    [tokens.place(boxed(item.token)) for part in two for item in part] for two in (of[:2], of[2:])
                )
                contexts = []
                for shown in shown_of.get(index, [])[:CONTEXTS]:
                    contexts.append(texts.place(plain("".join(shown.tokens))))
                    if len(texts.items) > len(titles):
                        titles.append(documents.place(plain(shown.document)))
                place = rows.places.get((sae.analysis_id, index))
                if place is not None:
                    made.append([place, list(dict.fromkeys(on)), list(dict.fromkeys(moved)), contexts])
    return {
        "tokens": tokens.items,
        "documents": documents.items,
        "texts": texts.items,
        "titles": titles,
        "latents": made,
    }
