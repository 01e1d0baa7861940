"""Add what tells a score from chance: nulls, p and q, overlaps, contrasts, random controls.

The new columns are nullable, because an older store has no values for them until its SAEs are ingested again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tsea_db.store.views import definitions

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SCORE_COLUMNS = ("z_direction", "log10_p", "log10_q", "log10_p_es", "log10_p_token")
_SPREAD_COLUMNS = ("null_median", "null_mad", "lambda", "cosine_sd")


def upgrade() -> None:
    """Add columns to ``scores`` and ``sae_sets``, the new tables, and the view ``scored``."""
    for name in _SCORE_COLUMNS:
        op.add_column("scores", sa.Column(name, sa.Float))
    for name in _SPREAD_COLUMNS:
        op.add_column("sae_sets", sa.Column(name, sa.Double, quote=name == "lambda"))
    op.add_column("sae_sets", sa.Column("reason", sa.String))
    _create_nulls()
    _create_contrasts()
    _create_side_scores()
    for script in definitions("0002"):
        op.execute(script)


def _create_nulls() -> None:
    op.create_table(
        "side_sets",
        sa.Column("set_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer),
        sa.Column("token_ids", sa.ARRAY(sa.Integer), nullable=False),
    )
    op.create_table(
        "set_nulls",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("processing", sa.String, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("n_draws", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("d_eff", sa.Integer, nullable=False),
        sa.Column("mean_abs_es", sa.Double),
        sa.Column("quantiles", sa.ARRAY(sa.Double)),
        sa.Column("mu", sa.Double),
        sa.Column("sigma", sa.Double),
        sa.Column("fit_error", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("decodability", sa.Double),
        sa.Column("chance_decodability", sa.Double),
        sa.Column("reason", sa.String),
        sa.Column("es_reason", sa.String),
    )
    op.create_table(
        "moment_nulls",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("processing", sa.String, nullable=False),
        sa.Column("n_draws", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("d_eff", sa.Integer, nullable=False),
        sa.Column("shares", sa.ARRAY(sa.Double), nullable=False),
        sa.Column("kurtosis", sa.ARRAY(sa.Double), nullable=False),
        sa.Column("skewness", sa.ARRAY(sa.Double), nullable=False),
        sa.Column("cos_var_ratio", sa.ARRAY(sa.Double), nullable=False),
    )
    op.create_table(
        "set_overlaps",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("processing", sa.String, nullable=False),
        sa.Column("set_a", sa.Integer, nullable=False),
        sa.Column("set_b", sa.Integer, nullable=False),
        sa.Column("intersection", sa.Integer, nullable=False),
        sa.Column("jaccard", sa.Double, nullable=False),
        sa.Column("overlap_coefficient", sa.Double, nullable=False),
        sa.Column("null_corr", sa.Double),
    )


def _create_contrasts() -> None:
    op.create_table(
        "contrasts",
        sa.Column("contrast_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("set_a", sa.Integer, nullable=False),
        sa.Column("set_b", sa.Integer, nullable=False),
        sa.Column("only_a", sa.Integer),
        sa.Column("a_and_b", sa.Integer),
    )
    op.create_table(
        "sae_contrasts",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("contrast_id", sa.Integer, nullable=False),
        sa.Column("n_scored", sa.Integer, nullable=False),
        sa.Column("reason", sa.String),
    )
    op.create_table(
        "contrast_scores",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("contrast_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("z_a_given_b", sa.Float, nullable=False),
        sa.Column("log10_p", sa.Float, nullable=False),
        sa.Column("log10_q", sa.Float, nullable=False),
    )


def _create_side_scores() -> None:
    op.create_table(
        "partition_scores",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("es", sa.Float, nullable=False),
        sa.Column("peak_rank", sa.Integer, nullable=False),
        sa.Column("z_direction", sa.Float),
        sa.Column("log10_p", sa.Float),
        sa.Column("log10_q", sa.Float),
        sa.Column("log10_p_es", sa.Float),
        sa.Column("log10_p_token", sa.Float),
    )
    op.create_table(
        "control_scores",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("n_scored", sa.Integer, nullable=False),
        sa.Column("share_p_direction", sa.Double),
        sa.Column("share_p_es", sa.Double),
        sa.Column("share_p_token", sa.Double),
    )


def downgrade() -> None:
    """Drop what :func:`upgrade` added."""
    op.execute("drop view scored")
    for table in (
        "side_sets",
        "set_nulls",
        "moment_nulls",
        "set_overlaps",
        "contrasts",
        "sae_contrasts",
        "contrast_scores",
        "partition_scores",
        "control_scores",
    ):
        op.drop_table(table)
    op.drop_column("sae_sets", "reason")
    for name in _SPREAD_COLUMNS:
        op.execute(f'alter table sae_sets drop column "{name}"')
    for name in _SCORE_COLUMNS:
        op.drop_column("scores", name)
