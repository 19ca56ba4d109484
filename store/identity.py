"""Identities of SAEs and models, and the hashes by which older versions knew the same.

An identity is a hash of numbers (see `analysis.reading.identity`). Versions up to 0.4 took the hash of a file: files of
annotations, experiments and interventions that they wrote still say it.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.tables import Annotation, FormerIdentity, Model, Sae


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
