"""Store the nearest mirror image of each latent beside its nearest copy"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("mirror", sa.Integer()),
    ("mirror_score", sa.Double()),
    ("duplicate_score", sa.Double()),
)


def upgrade() -> None:
    """A partner was the nearest of all, so it is the nearest of its side; of the other side nothing is known."""
    for name, kind in _COLUMNS:
        op.add_column("latent", sa.Column(name, kind, nullable=True))
    op.execute("UPDATE latent SET mirror = partner, mirror_score = antipodality WHERE cos_enc < 0 AND cos_dec < 0")
    op.execute("UPDATE latent SET duplicate_score = antipodality WHERE cos_enc > 0 AND cos_dec > 0")


def downgrade() -> None:
    """Partners stay as they are."""
    for name, _kind in _COLUMNS:
        op.drop_column("latent", name)
