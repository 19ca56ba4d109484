"""Create the store: models, SAEs, runs, latents, pairs, examples"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the store: models, SAEs, runs, latents, pairs, examples."""
    op.create_table(
        "corpus",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("licence", sa.String(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("label_columns", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("licence", sa.String(), nullable=True),
        sa.Column("family", sa.String(length=40), nullable=False),
        sa.Column("n_layers", sa.Integer(), nullable=False),
        sa.Column("d_model", sa.Integer(), nullable=False),
        sa.Column("vocab_size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "statistic",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("of", sa.String(length=12), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("grade", sa.String(length=1), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("corpus_id", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("masked_tokens", sa.Integer(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("context", sa.Integer(), nullable=False),
        sa.Column("dense_threshold", sa.Double(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("strip", sa.JSON(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corpus_id"],
            ["corpus.id"],
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["model.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_key"), ["key"], unique=False)

    op.create_table(
        "sae",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("hook_point", sa.String(length=120), nullable=False),
        sa.Column("layer", sa.Integer(), nullable=False),
        sa.Column("architecture", sa.String(length=40), nullable=False),
        sa.Column("d_in", sa.Integer(), nullable=False),
        sa.Column("n_latents", sa.Integer(), nullable=False),
        sa.Column("dtype", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("neuronpedia_id", sa.String(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("training", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["model.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "analysis",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("sae_id", sa.Integer(), nullable=False),
        sa.Column("l0", sa.Double(), nullable=False),
        sa.Column("fvu", sa.Double(), nullable=True),
        sa.Column("n_dense", sa.Integer(), nullable=False),
        sa.Column("n_borderline", sa.Integer(), nullable=False),
        sa.Column("n_dead", sa.Integer(), nullable=False),
        sa.Column("n_pairs", sa.Integer(), nullable=False),
        sa.Column("dense_mass_share", sa.Double(), nullable=True),
        sa.Column("massive_share", sa.Double(), nullable=False),
        sa.Column("median_norm", sa.Double(), nullable=False),
        sa.Column("density_curve", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["sae_id"],
            ["sae.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "sae_id"),
    )
    op.create_table(
        "latent",
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("density", sa.Double(), nullable=False),
        sa.Column("density_low", sa.Double(), nullable=True),
        sa.Column("density_high", sa.Double(), nullable=True),
        sa.Column("is_dense", sa.Boolean(), nullable=False),
        sa.Column("borderline", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.String(length=10), nullable=True),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("std", sa.Double(), nullable=True),
        sa.Column("skewness", sa.Double(), nullable=True),
        sa.Column("max", sa.Double(), nullable=True),
        sa.Column("mass_share", sa.Double(), nullable=True),
        sa.Column("antipodality", sa.Double(), nullable=True),
        sa.Column("cos_enc", sa.Double(), nullable=True),
        sa.Column("cos_dec", sa.Double(), nullable=True),
        sa.Column("partner", sa.Integer(), nullable=True),
        sa.Column("mutual", sa.Boolean(), nullable=False),
        sa.Column("is_pair", sa.Boolean(), nullable=False),
        sa.Column("duplicate_of", sa.Integer(), nullable=True),
        sa.Column("cos_bias", sa.Double(), nullable=True),
        sa.Column("decoder_norm", sa.Double(), nullable=True),
        sa.Column("quantiles", sa.JSON(), nullable=True),
        sa.Column("spark", sa.JSON(), nullable=False),
        sa.Column("top_tokens", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("analysis_id", "index"),
    )
    with op.batch_alter_table("latent", schema=None) as batch_op:
        batch_op.create_index("ix_latent_antipodality", ["analysis_id", "antipodality", "index"], unique=False)
        batch_op.create_index("ix_latent_density", ["analysis_id", "density", "index"], unique=False)

    op.create_table(
        "pair",
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("positive", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("is_pair", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("cos_enc", sa.Double(), nullable=True),
        sa.Column("cos_dec", sa.Double(), nullable=True),
        sa.Column("correlation", sa.Double(), nullable=True),
        sa.Column("r2", sa.Double(), nullable=True),
        sa.Column("r2_single", sa.Double(), nullable=True),
        sa.Column("joint_1d", sa.Boolean(), nullable=False),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("dead_zone", sa.Double(), nullable=False),
        sa.Column("cofiring", sa.Double(), nullable=False),
        sa.Column("cofiring_ratio", sa.Double(), nullable=True),
        sa.Column("z_sd", sa.Double(), nullable=True),
        sa.Column("histogram", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("analysis_id", "positive", "negative"),
    )
    op.create_table(
        "example",
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("context_start", sa.Integer(), nullable=False),
        sa.Column("focus", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("activations", sa.LargeBinary(), nullable=False),
        sa.Column("partner_activations", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("analysis_id", "index", "kind", "rank"),
    )
    op.create_table(
        "profile",
        sa.Column("analysis_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("analysis_id", "index", "name"),
    )


def downgrade() -> None:
    """The way back."""
    op.drop_table("profile")
    op.drop_table("example")
    op.drop_table("pair")
    with op.batch_alter_table("latent", schema=None) as batch_op:
        batch_op.drop_index("ix_latent_density")
        batch_op.drop_index("ix_latent_antipodality")

    op.drop_table("latent")
    op.drop_table("analysis")
    op.drop_table("sae")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_key"))

    op.drop_table("run")
    op.drop_table("statistic")
    op.drop_table("model")
    op.drop_table("corpus")
