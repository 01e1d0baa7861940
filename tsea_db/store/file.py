"""The store as a file: create it, migrate it, check its version, open connections to it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import duckdb

from tsea_db.errors import StoreError, StoreLockedError, StoreMissingError, StoreVersionError
from tsea_db.store.schema import REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

# Files written in an older format stay readable for the DuckDB clients that people have.
_CREATE_CONFIG = {"storage_compatibility_version": "v1.2.0"}
# DuckDB draws a bar on long queries, into the output of a command.
_SETTINGS = ["set enable_progress_bar = false"]
if duckdb.__version__.startswith("2.0."):
    # Joins whose smaller side is itself a join fail now and then ("dict-surviving join", duckdb/duckdb#24807) if this
    # step of its optimizer has put a projection between the two.
    _SETTINGS.append("set disabled_optimizers = 'projection_placement'")
_LOCK = "set enable_external_access = false; set lock_configuration = true"


@dataclass(frozen=True)
class StoreFile:
    """A DuckDB file with the tables of :mod:`tsea_db.store.schema`.

    Nothing is held open: each method opens the file, works and closes it again, so that other processes get their turn.
    """

    path: Path

    def create(self) -> None:
        """Make a new store with all tables.

        Raises:
            StoreError: Something is at that path already, or its folder does not exist.
        """
        if self.path.exists():
            msg = f"{self.path} exists already. Take another name, or `tsea upgrade` if it is an older store."
            raise StoreError(msg)
        if not self.path.parent.is_dir():
            msg = f"The folder {self.path.parent} does not exist: create it first."
            raise StoreError(msg)
        try:
            self._migrate()
        except BaseException:
            for leftover in (self.path, _wal(self.path)):
                leftover.unlink(missing_ok=True)
            raise

    def upgrade(self) -> bool:
        """Migrate the store to this package's revision; return whether there was anything to do.

        Raises:
            StoreMissingError: There is no store.
            StoreVersionError: The store is newer than this package.
        """
        found = self.revision()
        if found == REVISION:
            return False
        if found > REVISION:
            raise _newer(self.path, found)
        self._migrate()
        return True

    def revision(self) -> str:
        """Return the schema revision the store has.

        Raises:
            StoreMissingError: There is no file at the path.
            StoreError: The file is no tsea-db store.
        """
        with self._connect(read_only=True) as connection:
            return self._read_revision(connection)

    @contextmanager
    def reader(self, *, sandbox: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for reading.

        Args:
            sandbox: Also shut out files, the network and changes of settings: for SQL typed by people.

        Raises:
            StoreError: It is missing, locked, of another version, or no store.
        """
        with self._connect(read_only=True) as connection:
            self._check_revision(connection)
            for setting in _SETTINGS:
                connection.execute(setting).fetchall()
            if sandbox:
                connection.execute(_LOCK).fetchall()
            yield connection

    @contextmanager
    def writer(self) -> Iterator[Engine]:
        """Open the store for writing, as an SQLAlchemy engine that keeps no connection after use.

        Raises:
            StoreError: It is missing, locked, of another version, or no store.
        """
        with self.reader():
            pass
        with self.engine() as engine:
            yield engine

    @contextmanager
    def engine(self, *, read_only: bool = False) -> Iterator[Engine]:
        """Make an engine on the file as it is, whatever its version; migrations need that."""
        import duckdb_engine  # noqa: F401 - registers the dialect
        from sqlalchemy import NullPool, create_engine, event
        from sqlalchemy.exc import DBAPIError

        settings: dict[str, Any] = {"read_only": True} if read_only else {"config": dict(_CREATE_CONFIG)}
        engine = create_engine(f"duckdb:///{self.path}", poolclass=NullPool, connect_args=settings)
        event.listen(engine, "connect", lambda raw, _: [raw.execute(setting) for setting in _SETTINGS])
        try:
            with _interruptible():
                yield engine
        except DBAPIError as error:
            if isinstance(error.orig, duckdb.IOException):
                raise _translate(self.path, error.orig) from error
            raise
        finally:
            engine.dispose()

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(files("tsea_db.migrations")).replace("%", "%%"))
        with self.engine() as engine, engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _connect(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.path.exists():
            msg = f"There is no store at {self.path}. Create one with `tsea --store {self.path} init`."
            raise StoreMissingError(msg)
        try:
            connection = duckdb.connect(str(self.path), read_only=read_only)
        except duckdb.IOException as error:
            raise _translate(self.path, error) from error
        try:
            with _interruptible():
                yield connection
        finally:
            connection.close()

    def _read_revision(self, connection: duckdb.DuckDBPyConnection) -> str:
        try:
            rows = connection.execute("select version_num from alembic_version").fetchall()
        except duckdb.CatalogException:
            rows = []
        if len(rows) != 1:
            msg = f"{self.path} is a DuckDB file but no tsea-db store. Create one with `tsea init` under another name."
            raise StoreError(msg)
        return str(rows[0][0])

    def _check_revision(self, connection: duckdb.DuckDBPyConnection) -> None:
        found = self._read_revision(connection)
        if found > REVISION:
            raise _newer(self.path, found)
        if found < REVISION:
            msg = (
                f"The store {self.path} has schema {found}, this tsea-db needs {REVISION}. "
                f"Migrate it with `tsea --store {self.path} upgrade`."
            )
            raise StoreVersionError(msg)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C during a query the KeyboardInterrupt that it is elsewhere."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _newer(path: Path, found: str) -> StoreVersionError:
    return StoreVersionError(
        f"The store {path} has schema {found}, newer than this tsea-db, which knows {REVISION}. "
        "Install a newer one with `pip install -U tsea-db`."
    )


def _translate(path: Path, error: duckdb.IOException) -> StoreError:
    """Say in a reader's terms why DuckDB could not open a file."""
    text = str(error)
    if "lock" in text.lower():
        holder = re.search(r"held in (.*?) \(PID (\d+)\)", text)
        who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
        return StoreLockedError(
            f"The store {path} is held by {who}. Wait until it has finished, or close it there; "
            "DuckDB lets one process write or several read, not both."
        )
    if "not a valid DuckDB database" in text:
        return StoreError(f"{path} is not a DuckDB file. Create a store with `tsea init` under another name.")
    return StoreError(f"The store {path} could not be opened: {text}")
