"""The store as a file: created, migrated, refused, locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import tsea_db
from tests.support.tiny_lm import ROOT
from tsea_db.errors import StoreError, StoreLockedError, StoreMissingError, StoreVersionError
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load
from tsea_db.store.file import StoreFile

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything about a file's tables that a migration can get wrong."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            "columns": connection.execute(
                "select table_name, column_name, column_index, data_type, is_nullable, column_default "
                "from duckdb_columns() where table_name <> 'alembic_version' and not internal order by all"
            ).fetchall(),
            "constraints": connection.execute(
                "select table_name, constraint_type, constraint_column_names "
                "from duckdb_constraints() where table_name <> 'alembic_version' order by all"
            ).fetchall(),
            "views": connection.execute("select view_name, sql from duckdb_views() where not internal").fetchall(),
            "macros": connection.execute(
                "select function_name, parameters, macro_definition from duckdb_functions() "
                "where not internal order by all"
            ).fetchall(),
            "sequences": connection.execute("select sequence_name from duckdb_sequences()").fetchall(),
            "indexes": connection.execute("select index_name from duckdb_indexes()").fetchall(),
        }


def test_migrations_make_the_tables_of_the_metadata(tmp_path: Path, store_path: Path) -> None:
    with StoreFile(tmp_path / "direct.duckdb").engine() as engine:
        schema.metadata.create_all(engine)
    made = shape(tmp_path / "direct.duckdb")
    assert made == shape(store_path)
    assert len(made["columns"]) > 60
    assert made["indexes"] == []


def test_the_package_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.REVISION


@pytest.mark.slow
def test_alembic_on_the_command_line(tmp_path: Path) -> None:
    store = tmp_path / "by-alembic.duckdb"
    for step in (["upgrade", "head"], ["downgrade", "base"], ["upgrade", "head"]):
        subprocess.run(
            [sys.executable, "-m", "alembic", "-x", f"store={store}", *step],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
    assert StoreFile(store).revision() == schema.REVISION


def test_create_refuses_what_exists(store_path: Path) -> None:
    with pytest.raises(StoreError, match="exists already"):
        tsea_db.create(store_path)
    with pytest.raises(StoreError, match="does not exist: create it first"):
        tsea_db.create(store_path.parent / "nowhere" / "x.duckdb")


def test_missing_store(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="tsea --store .* init"):
        tsea_db.open(tmp_path / "none.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.duckdb"
    text.write_text("not a database" * 1000)
    with pytest.raises(StoreError, match="not a DuckDB file"):
        tsea_db.open(text)
    other = tmp_path / "other.duckdb"
    duckdb.connect(str(other)).close()
    with pytest.raises(StoreError, match="no tsea-db store"):
        tsea_db.open(other)


@pytest.mark.parametrize(("found", "command"), [("0000", "upgrade"), ("9999", "pip install -U tsea-db")])
def test_other_versions_are_refused(store_path: Path, found: str, command: str) -> None:
    with duckdb.connect(str(store_path)) as connection:
        connection.execute("update alembic_version set version_num = ?", [found])
    with pytest.raises(StoreVersionError, match=command):
        tsea_db.open(store_path)
    with pytest.raises(StoreVersionError, match=command):
        tsea_db.Store(StoreFile(store_path), "rw").sql("delete from saes")


def test_upgrade_refuses_a_newer_store_and_leaves_a_current_one(store_path: Path) -> None:
    assert tsea_db.upgrade(store_path) is False
    with duckdb.connect(str(store_path)) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(StoreVersionError, match="newer"):
        tsea_db.upgrade(store_path)


def test_a_locked_store_names_the_process(store_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLockedError, match=rf"process {holder.pid} .*Wait until it has finished"):
            tsea_db.open(store_path)
    finally:
        holder.communicate("\n")
    assert tsea_db.open(store_path).status().empty


def test_bulk_load_is_part_of_the_transaction(store_path: Path) -> None:
    import pyarrow as pa

    rows = pa.table({"token_id": [5, 6], "set_id": [1, 1]})
    with StoreFile(store_path).writer() as engine:
        with pytest.raises(RuntimeError, match="stop"), engine.begin() as connection:
            assert bulk_load(connection, schema.memberships, rows) == 2
            raise RuntimeError("stop")
        with engine.begin() as connection:
            bulk_load(connection, schema.memberships, rows)
    assert tsea_db.open(store_path).sql("from memberships order by all").fetchall() == [(1, 5), (1, 6)]


def test_many_readers_at_once(store_path: Path) -> None:
    with duckdb.connect(str(store_path), read_only=True):
        assert tsea_db.open(store_path).sql("select count(*) from saes").fetchall() == [(0,)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_store_that_could_not_be_created_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    path = tmp_path / "new.duckdb"
    migrate = StoreFile._migrate

    def interrupted(self: StoreFile) -> None:
        migrate(self)
        path.with_name("new.duckdb.wal").write_bytes(b"what is not in the file yet")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(StoreFile, "_migrate", interrupted)
        with pytest.raises(error):
            StoreFile(path).create()
    assert list(tmp_path.iterdir()) == []
    StoreFile(path).create()
    assert StoreFile(path).revision() == schema.REVISION


def test_the_sandbox_shuts_out_files_and_changes_of_settings(store_path: Path) -> None:
    store = StoreFile(store_path)
    with store.reader() as reader:
        reader.execute("set threads = 1").fetchall()
        assert reader.execute("select count(*) from read_text($1)", [str(ROOT / "README.md")]).fetchall() == [(1,)]
    with store.reader(sandbox=True) as reader:
        for setting in ("set threads = 1", "set enable_external_access = true", "pragma memory_limit = '1GB'"):
            with pytest.raises(duckdb.InvalidInputException, match="locked|Cannot"):
                reader.execute(setting).fetchall()
        with pytest.raises(duckdb.PermissionException, match="disabled"):
            reader.execute("select count(*) from read_text($1)", [str(ROOT / "README.md")]).fetchall()


def test_connections_draw_no_bar(store_path: Path) -> None:
    query = "select value from duckdb_settings() where name = 'enable_progress_bar'"
    with StoreFile(store_path).reader() as reader:
        assert reader.execute(query).fetchall() == [("false",)]
    with StoreFile(store_path).writer() as engine, engine.connect() as connection:
        assert connection.exec_driver_sql(query).scalar_one() == "false"


def test_a_store_that_another_process_reads_is_locked_for_writing_only(store_path: Path) -> None:
    reading = HOLD.replace("sys.argv[1]", "sys.argv[1], read_only=True")
    holder = subprocess.Popen(
        [sys.executable, "-c", reading, str(store_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert tsea_db.open(store_path).status().empty
        with pytest.raises(StoreLockedError, match=f"process {holder.pid}"):
            tsea_db.open(store_path, mode="rw").sql("delete from saes")
    finally:
        holder.communicate("\n")
    tsea_db.open(store_path, mode="rw").sql("delete from saes")
