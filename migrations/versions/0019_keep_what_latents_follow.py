"""Keep what latents follow: shares of their variance"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COLUMNS = ("word_share", "past_share", "followed")
_OWN = ("past", "context", "document")
_FOLLOWS = "SELECT analysis_id, \"index\", data FROM profile WHERE name = 'follows'"
_FILL = (
    "UPDATE latent SET word_share = :word, past_share = :past, followed = :total"
    ' WHERE analysis_id = :analysis AND "index" = :index'
)


def upgrade() -> None:
    """Runs that are there have none, but for those that once had."""
    for name in _COLUMNS:
        op.add_column("latent", sa.Column(name, sa.Double(), nullable=True))
    for held in list(_held()):
        op.get_bind().execute(sa.text(_FILL), held)
    for name in _COLUMNS:
        op.create_index(f"ix_latent_by_{name}", "latent", [name, "analysis_id", "index", "is_dense", "detail"])


def downgrade() -> None:
    """Their profiles stay."""
    for name in _COLUMNS:
        op.drop_index(f"ix_latent_by_{name}", "latent")
        op.drop_column("latent", name)


def _held() -> Iterator[dict[str, Any]]:
    for analysis, index, data in op.get_bind().execute(sa.text(_FOLLOWS)):
        found = json.loads(data) if isinstance(data, str) else data
        added = {source["name"]: source["added"][0] for source in found["sources"]}
        past = sum(added[name] for name in _OWN)
        yield {"analysis": analysis, "index": index, "word": added["word"], "past": past, "total": found["total"][0]}
