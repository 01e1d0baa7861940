"""Views and macros of a store, as they are now; the migrations make the same ones."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from tsea_db.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData


def definitions(revision: str) -> list[str]:
    """Return the SQL scripts of views and macros that a revision brought."""
    folder = files("tsea_db.migrations") / "sql"
    scripts = [file for file in folder.iterdir() if file.name.startswith(f"{revision}_")]
    return [script.read_text(encoding="utf-8") for script in sorted(scripts, key=lambda script: script.name)]


@event.listens_for(metadata, "after_create")
def _create_views_and_macros(target: MetaData, connection: Connection, **_: Any) -> None:
    del target
    for revision in ("0002", "0003"):
        for script in definitions(revision):
            connection.exec_driver_sql(script)
