"""Identities of SAEs and models, and the hashes by which older versions knew the same.

An identity is a hash of numbers (see `analysis.reading.identity`). Versions up to 0.4 took the hash of a file: files of
annotations, experiments and interventions that they wrote still say it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.suites import suite_key
from store.tables import Annotation, Corpus, FormerIdentity, Model, Run, Sae


def current(session: Session, identity: str) -> str:
    """What goes by this hash now; itself where it is no former one."""
    found = session.scalar(select(FormerIdentity.now).where(FormerIdentity.old == identity))
    return found or identity


def find_sae(session: Session, identity: str, former: Collection[str]) -> Sae | None:
    """The SAE, by its identity or by what an older version called it."""
    return session.scalar(select(Sae).where(Sae.sha256.in_([identity, *former])).order_by(Sae.sha256 != identity))


def find_model(session: Session, identity: str, former: Collection[str]) -> Model | None:
    """The model, by its identity or by what an older version called it."""
    wanted = select(Model).where(Model.fingerprint.in_([identity, *former]))
    return session.scalar(wanted.order_by(Model.fingerprint != identity))


def adopt(session: Session, identity: str, former: Collection[str]) -> None:
    """Let former hashes lead to an identity, and what people wrote under them follow. The caller commits.

    What was written under the identity itself stays alone: two histories of one latent are for people to merge.
    """
    older = set(former) - {identity}
    known = set(session.scalars(select(FormerIdentity.old).where(FormerIdentity.old.in_(older))))
    session.add_all([FormerIdentity(old=old, now=identity) for old in sorted(older - known)])
    if session.scalar(select(Annotation.id).where(Annotation.sae_sha256 == identity).limit(1)) is None:
        session.execute(update(Annotation).where(Annotation.sae_sha256.in_(older)).values(sae_sha256=identity))
    session.flush()


def rename_model(session: Session, model: Model, identity: str) -> None:
    """Let a model go by this identity, and its runs be of the suites that it makes them. The caller commits."""
    if model.fingerprint == identity:
        return
    adopt(session, identity, [model.fingerprint])
    model.fingerprint = identity
    wanted = select(Run, Corpus.sha256).join(Corpus, Corpus.id == Run.corpus_id).where(Run.model_id == model.id)
    for run, corpus in session.execute(wanted):
        run.suite = suite_key(identity, corpus, run.settings, run.versions)


def free_slug(session: Session, column: Any, wanted: str, identity: str) -> str:
    """`wanted`, or with a piece of the identity where another row has that slug."""
    taken = session.scalar(select(column).where(column == wanted))
    return wanted if taken is None else f"{wanted}-{identity[:8]}"
