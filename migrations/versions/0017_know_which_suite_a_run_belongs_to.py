"""Know which suite a run belongs to, and who is writing one that is not complete"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_READING = ("tokens", "dense_threshold", "context", "contexts", "seed", "pilot_tokens", "controls")
_CLASSES = ("class_tokens", "random_directions", "pool", "cuts", "chance_directions")


def upgrade() -> None:
    """Runs that are there say in their rows what their suite is made of."""
    op.add_column("run", sa.Column("suite", sa.String(64), nullable=False, server_default=""))
    op.add_column("run", sa.Column("writer", sa.JSON(), nullable=True))
    run = sa.table(
        "run",
        *(sa.column(name, sa.Integer()) for name in ("id", "model_id", "corpus_id")),
        *(sa.column(name, sa.JSON()) for name in ("settings", "versions")),
        sa.column("suite", sa.String()),
    )
    model = sa.table("model", sa.column("id", sa.Integer()), sa.column("fingerprint", sa.String()))
    corpus = sa.table("corpus", sa.column("id", sa.Integer()), sa.column("sha256", sa.String()))
    wanted = sa.select(run.c.id, model.c.fingerprint, corpus.c.sha256, run.c.settings, run.c.versions)
    wanted = wanted.join(model, model.c.id == run.c.model_id).join(corpus, corpus.c.id == run.c.corpus_id)
    connection = op.get_bind()
    for number, *of in connection.execute(wanted).all():
        connection.execute(sa.update(run).where(run.c.id == number).values(suite=_suite(*of)))
    op.create_index("ix_run_suite", "run", ["suite"])


def downgrade() -> None:
    """Runs stay."""
    op.drop_index("ix_run_suite", "run")
    op.drop_column("run", "writer")
    op.drop_column("run", "suite")


def _suite(model: str, corpus: str, settings: Mapping[str, Any], versions: Mapping[str, Any]) -> str:
    """As `store.suites` made it when this was written."""
    release = ".".join(str(versions.get("dense-latents", "")).split(".")[:2])
    parts: list[Any] = [model, corpus, release, settings.get("model_dtype"), settings.get("prepend_bos", True)]
    parts += [settings.get(name) for name in _READING]
    if settings.get("classes"):
        parts += [settings.get(name) for name in _CLASSES]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
