"""Note which matrix product made the scores of an ingest; of earlier ones it is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("ingest_runs", sa.Column("product", sa.String))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("ingest_runs", "product")
