"""Say when the rule last judged an analysis' latents, so that pages made before are known to be old"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody knows when those that are there were judged."""
    op.add_column("analysis", sa.Column("judged", sa.DateTime(), nullable=True))


def downgrade() -> None:
    """Without it, verdicts of equal counts look the same."""
    op.drop_column("analysis", "judged")
