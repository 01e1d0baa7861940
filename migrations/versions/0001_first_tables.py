"""Create the tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    _create_models()
    _create_token_sets()
    _create_saes()
    _create_scores()


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("model_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("weights_hash", sa.String, nullable=False),
        sa.Column("vocabulary_hash", sa.String, nullable=False),
        sa.Column("d_model", sa.Integer, nullable=False),
        sa.Column("d_vocab", sa.Integer, nullable=False),
        sa.Column("n_layers", sa.Integer, nullable=False),
        sa.Column("normalization", sa.String, nullable=False),
        sa.Column("soft_cap", sa.Double),
    )
    op.create_table(
        "unembeddings",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("processing", sa.String, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("token_id", sa.Integer, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("special", sa.Boolean, nullable=False),
        sa.Column("starts_word", sa.Boolean, nullable=False),
    )


def _create_token_sets() -> None:
    op.create_table(
        "token_sets",
        sa.Column("set_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("phrase", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("definition", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("tags", sa.ARRAY(sa.String), nullable=False),
    )
    op.create_table(
        "unscored_sets",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
    )
    op.create_table(
        "memberships",
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("token_id", sa.Integer, nullable=False),
    )


def _create_saes() -> None:
    op.create_table(
        "saes",
        sa.Column("sae_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("processing", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("hook_point", sa.String, nullable=False),
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("d_sae", sa.Integer, nullable=False),
        sa.Column("architecture", sa.String, nullable=False),
        sa.Column("weights_hash", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("directions_hash", sa.String, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("package_version", sa.String, nullable=False),
    )
    op.create_table(
        "features",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("mean", sa.Double),
        sa.Column("std", sa.Double),
        sa.Column("skewness", sa.Double),
        sa.Column("kurtosis", sa.Double),
        sa.Column("cosine_variance", sa.Double),
        sa.Column("decoder_norm", sa.Double, nullable=False),
        sa.Column("log10_density", sa.Float),
        sa.Column("dead", sa.Boolean),
        sa.Column("zero_direction", sa.Boolean, nullable=False),
        sa.Column("top_tokens", sa.ARRAY(sa.String)),
        sa.Column("top_token_ids", sa.ARRAY(sa.Integer)),
        sa.Column("top_logits", sa.ARRAY(sa.Float)),
        sa.Column("bottom_tokens", sa.ARRAY(sa.String)),
        sa.Column("bottom_token_ids", sa.ARRAY(sa.Integer)),
        sa.Column("bottom_logits", sa.ARRAY(sa.Float)),
    )


def _create_scores() -> None:
    op.create_table(
        "sae_sets",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("n_scored", sa.Integer, nullable=False),
    )
    op.create_table(
        "scores",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("es", sa.Float, nullable=False),
        sa.Column("peak_rank", sa.Integer, nullable=False),
    )
    op.create_table(
        "ingest_runs",
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime, nullable=False),
        sa.Column("n_features", sa.Integer, nullable=False),
        sa.Column("n_sets", sa.Integer, nullable=False),
        sa.Column("n_scores", sa.BigInteger, nullable=False),
        sa.Column("package_version", sa.String, nullable=False),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "models",
        "unembeddings",
        "tokens",
        "token_sets",
        "unscored_sets",
        "memberships",
        "saes",
        "features",
        "sae_sets",
        "scores",
        "ingest_runs",
    ):
        op.drop_table(table)
