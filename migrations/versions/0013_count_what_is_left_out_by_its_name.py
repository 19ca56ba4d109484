"""Count what a run leaves out by its name: BOS apart from special tokens of the text, and no padding"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of runs that are there only the sum is known, and padding is in it."""
    op.add_column("run", sa.Column("masks", sa.JSON(), nullable=True))


def downgrade() -> None:
    """The sum stays."""
    op.drop_column("run", "masks")
