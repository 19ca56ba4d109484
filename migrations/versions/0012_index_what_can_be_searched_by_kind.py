"""Index what can be searched by its kind within an analysis: where its rows begin and end is looked up, not read"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index of analyses by a longer one."""
    op.create_index("ix_search_text_kind", "search_text", ["analysis_id", "kind"])
    op.drop_index("ix_search_text_analysis_id", "search_text")


def downgrade() -> None:
    """The shorter one again."""
    op.create_index("ix_search_text_analysis_id", "search_text", ["analysis_id"])
    op.drop_index("ix_search_text_kind", "search_text")
