"""Add labels: what rules made of features, the rules, annotations, and the views and macros that questions use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tsea_db.store.views import definitions

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MACROS = (
    "hill_b",
    "z_from_y",
    "y_from_cosine",
    "root_y_from_z",
    "z_from_cosine",
    "cosine_from_z",
    "log10_erfc",
    "log10_two_sided_p",
)
_TABLE_MACROS = (
    "named_sets",
    "enriched",
    "suppressed",
    "conditional",
    "conditional_q",
    "specific",
    "profile",
    "global_q",
)
_VIEWS = ("feature_columns", "feature_labels", "feature_classes", "feature_shapes")


def upgrade() -> None:
    """Create the tables, then the views and macros of ``migrations/sql/0003_*.sql``."""
    op.create_table(
        "rule_sets",
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("preset", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("labelled_at", sa.DateTime, nullable=False),
        sa.Column("package_version", sa.String, nullable=False),
    )
    op.create_table(
        "labels",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("direction", sa.String),
        sa.Column("confidence", sa.String),
        sa.Column("set_id", sa.Integer),
        sa.Column("given_id", sa.Integer),
        sa.Column("z", sa.Float),
        sa.Column("log10_q", sa.Float),
        sa.Column("given_z", sa.Float),
        sa.Column("given_log10_q", sa.Float),
        sa.Column("es", sa.Float),
        sa.Column("nes", sa.Float),
        sa.Column("top_share", sa.Float),
        sa.Column("evidence_tokens", sa.ARRAY(sa.String)),
        sa.Column("sentence", sa.String, nullable=False),
        sa.Column("rule_set_hash", sa.String, nullable=False),
    )
    op.create_table(
        "near_misses",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("z", sa.Float, nullable=False),
        sa.Column("log10_q", sa.Float, nullable=False),
        sa.Column("es", sa.Float, nullable=False),
        sa.Column("nes", sa.Float),
        sa.Column("why", sa.String, nullable=False),
    )
    op.create_table(
        "annotations",
        sa.Column("sae_id", sa.Integer, nullable=False),
        sa.Column("feature", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("source", sa.String, nullable=False),
    )
    for script in definitions("0003"):
        op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    """Drop what :func:`upgrade` made."""
    for view in _VIEWS:
        op.execute(f"drop view {view}")
    for macro in _TABLE_MACROS:
        op.execute(f"drop macro table {macro}")
    for macro in _MACROS:
        op.execute(f"drop macro {macro}")
    for table in ("rule_sets", "labels", "near_misses", "annotations"):
        op.drop_table(table)
