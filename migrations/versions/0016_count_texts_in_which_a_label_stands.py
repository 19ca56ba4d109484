"""Count the documents in whose text a label's value literally stands"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of runs that are there it is not known: the text is not in the store."""
    op.add_column("label", sa.Column("literal", sa.Integer(), nullable=True))


def downgrade() -> None:
    """The labels stay."""
    op.drop_column("label", "literal")
