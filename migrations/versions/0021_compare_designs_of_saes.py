"""Compare designs of SAEs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing that is there changes."""
    op.create_table(
        "design_comparison",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(64), unique=True, nullable=False),
        sa.Column("sae_id", sa.Integer(), sa.ForeignKey("sae.id"), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("eval_tokens", sa.Integer(), nullable=False),
        sa.Column("loss_tokens", sa.Integer(), nullable=False),
        sa.Column("dense_threshold", sa.Double(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "design",
        sa.Column(
            "comparison_id",
            sa.Integer(),
            sa.ForeignKey("design_comparison.id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
        ),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("seed", sa.Integer(), primary_key=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("architecture", sa.String(24), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("k", sa.Double(), nullable=False),
        sa.Column("n_dense", sa.Integer(), nullable=False),
        sa.Column("n_dense_low", sa.Double(), nullable=True),
        sa.Column("n_dense_high", sa.Double(), nullable=True),
        sa.Column("fvu", sa.Double(), nullable=True),
        sa.Column("fvu_low", sa.Double(), nullable=True),
        sa.Column("fvu_high", sa.Double(), nullable=True),
        sa.Column("loss_recovered", sa.Double(), nullable=True),
        sa.Column("loss_recovered_low", sa.Double(), nullable=True),
        sa.Column("loss_recovered_high", sa.Double(), nullable=True),
        sa.Column("loss_clean", sa.Double(), nullable=True),
        sa.Column("loss_spliced", sa.Double(), nullable=True),
        sa.Column("loss_zeroed", sa.Double(), nullable=True),
        sa.Column("loss_without", sa.Double(), nullable=True),
        sa.Column("n_pairs", sa.Integer(), nullable=False),
        sa.Column("alive_share", sa.Double(), nullable=False),
        sa.Column("l0", sa.Double(), nullable=False),
        sa.Column("dense_mass_share", sa.Double(), nullable=True),
        sa.Column("signed_share", sa.Double(), nullable=True),
        sa.Column("density_curve", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    """Comparisons go."""
    op.drop_table("design")
    op.drop_table("design_comparison")
