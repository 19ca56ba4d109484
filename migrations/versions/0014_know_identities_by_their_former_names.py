"""Know SAEs and models by the hash of their numbers, and what older versions called them by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The worker fills it when it next loads what the store knows by the hash of a file."""
    op.create_table(
        "former_identity",
        sa.Column("old", sa.String(64), primary_key=True),
        sa.Column("now", sa.String(64), nullable=False, index=True),
    )


def downgrade() -> None:
    """What was renamed keeps its new name."""
    op.drop_table("former_identity")
