"""What dense latents follow, in a sentence a stretch of layers, with controls beside."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.layers.followed import followed_layers, followed_words
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.queries import SaeInfo


def medians(**added: float) -> dict[str, Any]:
    return {"latents": 9, "added": added, "total": sum(added.values()), "little": 0.0}


def world(session: Session, followed: list[dict[str, Any]]) -> list[SaeInfo]:
    run = runs.find_run(session)
    assert run is not None
    found = saes.list_saes(session, run)
    return [sae.model_copy(update={"followed": own}) for sae, own in zip(found, followed, strict=True)]


def test_a_stretch_of_layers_is_a_sentence(session: Session) -> None:
    early = [{"dense": medians(word=w), "control": medians(word=w / 2), "random": medians(word=w)} for w in (0.86, 0.5)]
    late = {
        "dense": medians(word=0.04, past=0.2, context=0.1),
        "control": medians(past=0.01),
        "random": medians(word=0.3),
    }
    words = followed_words(world(session, [*early, late]))
    assert words == (
        "After layers 0 to 1 the median dense latent follows the word itself most (50 to 86\u202f% of its variance;"
        " sparse latents 25 to 43\u202f%, random directions 50 to 86\u202f%). After layer 2 the median dense latent"
        " follows its own past, context, document most (30\u202f% of its variance; sparse latents 1\u202f%, random"
        " directions 0\u202f%)."
    )


def test_where_nothing_is_followed_it_is_said_and_what_was_not_divided_is_left_out(session: Session) -> None:
    little = {"dense": medians(word=0.01), "control": medians(word=0.0), "random": medians(word=0.0)}
    found = world(session, [{}, little, {"dense": {"latents": 0}}])
    assert followed_words(found) == "After layer 1 the median dense latent follows nothing that was looked for."
    assert len(followed_layers(found)) == 1
    assert followed_words(world(session, [{}, {}, {}])) == ""
