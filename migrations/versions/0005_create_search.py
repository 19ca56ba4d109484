"""Create what can be searched, and each database's own index over it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# words come folded and with a space between two, so the simplest tokenizer cuts them as they were cut; the table
# keeps no copy of them, so triggers tell it what changes. An index of prefixes would double its size and save 1 ms
SQLITE = (
    "CREATE VIRTUAL TABLE search_index USING fts5(words, content='search_text', content_rowid='id', tokenize='ascii')",
    "CREATE TRIGGER search_text_added AFTER INSERT ON search_text BEGIN"
    " INSERT INTO search_index(rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER search_text_removed AFTER DELETE ON search_text BEGIN"
    " INSERT INTO search_index(search_index, rowid, words) VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER search_text_changed AFTER UPDATE OF words ON search_text BEGIN"
    " INSERT INTO search_index(search_index, rowid, words) VALUES ('delete', old.id, old.words);"
    " INSERT INTO search_index(rowid, words) VALUES (new.id, new.words); END",
)
POSTGRESQL = (
    "ALTER TABLE search_text ADD COLUMN vector tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
    "CREATE INDEX ix_search_text_vector ON search_text USING gin (vector)",
)


def upgrade() -> None:
    """Create what can be searched. The runner fills it."""
    op.create_table(
        "search_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("example", sa.String(length=8), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("others", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_search_text_analysis_id", "search_text", ["analysis_id"])
    for statement in _own(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Drop it; nothing in it is only there."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_index("ix_search_text_analysis_id", "search_text")
    op.drop_table("search_text")


def _own(dialect: str) -> tuple[str, ...]:
    return {"sqlite": SQLITE, "postgresql": POSTGRESQL}[dialect]
