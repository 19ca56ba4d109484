"""Index lists of latents: every sort over all SAEs, the few that filters are about, parts of tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

SORTED = ["density", "antipodality", "max", "mean", "mass_share"]
FLAGS = ["is_dense", "detail", "is_pair", "borderline", "duplicate_of"]
MARKED = (
    "is_dense IS {yes} OR is_pair IS {yes} OR borderline IS {yes} OR detail IS NOT NULL OR duplicate_of IS NOT NULL"
)
WHOLE = [*FLAGS, "density", "max", "mean", "mass_share"]
BEFORE = {name: ["analysis_id", name, "index"] for name in ("density", "antipodality")}
LONGER = {
    "ix_score_name": ("score", ["analysis_id", "name", "label"], ["index"]),
    "ix_association_label": ("association", ["label_id", "verdict"], ["analysis_id", "index"]),
    "ix_verdict": ("verdict", ["analysis_id", "verdict"], ["index"]),
}
"""Indexes that now say which latents a row is of: name -> table, columns before, columns more."""


def upgrade() -> None:
    """Create the indexes and fill those of tokens."""
    for name in BEFORE:
        op.drop_index(f"ix_latent_{name}", "latent")
    op.create_index("ix_latent_by_index", "latent", ["index", "analysis_id", "is_dense", "detail"])
    for name in SORTED:
        columns = WHOLE if name == "antipodality" else ["is_dense", "detail"]
        op.create_index(f"ix_latent_by_{name}", "latent", [name, "analysis_id", "index", *columns])
    op.create_index("ix_latent_density", "latent", [*BEFORE["density"], *FLAGS, *SORTED[1:]])
    op.create_index(
        "ix_latent_marked",
        "latent",
        ["analysis_id", "index", *FLAGS, *SORTED],
        sqlite_where=sa.text(MARKED.format(yes=1)),
        postgresql_where=sa.text(MARKED.format(yes="true")),
    )
    for name, (table, before, more) in LONGER.items():
        op.drop_index(name, table)
        op.create_index(name, table, [*before, *more])
    _create_tokens()


def _create_tokens() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("text"),
    )
    op.create_table(
        "latent_token",
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"]),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("analysis_id", "token_id", "index"),
        sqlite_with_rowid=False,
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    each = "json_array_elements_text(latent.top_tokens) AS one(value)" if postgresql else "json_each(top_tokens) AS one"
    op.execute(f"INSERT INTO token (text) SELECT DISTINCT one.value FROM latent CROSS JOIN {each} ORDER BY 1")
    op.execute(
        'INSERT INTO latent_token (analysis_id, token_id, "index") SELECT DISTINCT latent.analysis_id, token.id,'
        f' latent."index" FROM latent CROSS JOIN {each} JOIN token ON token.text = one.value ORDER BY 1, 2, 3'
    )


def downgrade() -> None:
    """Drop them; nothing in them is only there."""
    op.drop_table("latent_token")
    op.drop_table("token")
    for name, (table, before, _more) in LONGER.items():
        op.drop_index(name, table)
        op.create_index(name, table, before)
    for name in ("marked", "density", "by_index", *(f"by_{name}" for name in SORTED)):
        op.drop_index(f"ix_latent_{name}", "latent")
    for name, columns in BEFORE.items():
        op.create_index(f"ix_latent_{name}", "latent", columns)
