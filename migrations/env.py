"""Alembic's entry: run the migrations on a connection handed over, or on ``-x store=PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import context
from alembic.ddl.impl import DefaultImpl

from tsea_db.store.file import StoreFile
from tsea_db.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


class DuckDBImpl(DefaultImpl):
    """Alembic knows no DuckDB; its DDL runs in transactions."""

    __dialect__ = "duckdb"
    transactional_ddl = True


def run_migrations(connection: Connection) -> None:
    """Run the migrations asked for, each in a transaction of its own."""
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _named_store() -> StoreFile:
    return StoreFile(Path(context.get_x_argument(as_dictionary=True).get("store", "tsea.duckdb")))


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run_migrations(handed_over)
else:
    with _named_store().engine() as engine, engine.connect() as opened:
        run_migrations(opened)
