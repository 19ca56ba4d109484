"""Keep what chains to SAEs that are analysed later are made of"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Runs that are there have none: they keep their chains, and get no new ones."""
    op.create_table(
        "traces",
        sa.Column("analysis_id", sa.Integer(), sa.ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_chain_other", "chain", ["other_analysis_id"])


def downgrade() -> None:
    """Chains stay."""
    op.drop_index("ix_chain_other", "chain")
    op.drop_table("traces")
