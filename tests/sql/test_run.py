"""SQL from notebooks and from people."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tsea_db
from tests.support.command_line import tsea
from tsea_db import Store
from tsea_db.errors import InputError, QueryError


def test_a_relation_outlives_the_store_and_holds_no_file(store_path: Path) -> None:
    relation = tsea_db.open(store_path).sql("select 1 as one, [1, 2] as list union all select 2, []")
    gc.collect()
    tsea_db.open(store_path, mode="rw").sql("insert into memberships values (1, 2)")  # would fail were the file held
    assert relation.fetchall() == [(1, [1, 2]), (2, [])]
    assert list(relation.df()["one"]) == [1, 2]
    assert relation.to_arrow_table().num_rows == 2
    assert relation.filter("one = 2").fetchall() == [(2, [])]


def test_values_are_bound(store_path: Path) -> None:
    store = tsea_db.open(store_path)
    assert store.sql("select $x || '!'", {"x": "'; drop table saes"}).fetchall() == [("'; drop table saes!",)]
    assert store.sql("select ? + 1", [2]).fetchall() == [(3,)]


def test_writing_needs_the_mode(store_path: Path) -> None:
    with pytest.raises(QueryError, match='mode="rw"'):
        tsea_db.open(store_path).sql("insert into memberships values (1, 2)")
    tsea_db.open(store_path, mode="rw").sql("insert into memberships values (1, 2)")
    assert tsea_db.open(store_path).sql("from memberships").fetchall() == [(1, 2)]
    with pytest.raises(InputError, match="ro"):
        tsea_db.open(store_path, mode="write")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec 1", "syntax error"),
        ("", "there are 0"),
        ("select 1; select 2", "there are 2"),
        ("select nothing from saes", "nothing"),
        ("insert into memberships values (1, 2)", "only reads, and the statement is INSERT"),
        ("drop table saes", "DROP"),
        ("attach 'x.duckdb'", "ATTACH"),
        ("copy saes to 'x.csv'", "COPY"),
        ("set threads = 1", "SET"),
        ("install httpfs", "LOAD"),
        ("from read_csv('/etc/passwd')", "disabled"),
        ("from 'x.parquet'", "disabled|does not exist"),
    ],
)
def test_what_people_may_not_do(store_path: Path, query: str, message: str) -> None:
    before = store_path.read_bytes()
    with pytest.raises(QueryError, match=message):
        tsea_db.open(store_path).user_sql(query)
    assert store_path.read_bytes() == before
    assert {file.name for file in store_path.parent.iterdir()} == {store_path.name}


@pytest.mark.parametrize("query", ["show tables", "describe saes", "explain select 1", "with x as (select 1) from x"])
def test_what_people_may_do(store_path: Path, query: str) -> None:
    assert tsea_db.open(store_path).user_sql(query).rows.num_rows > 0


# A process that was started in the background ignores Ctrl-C, and so do those that it starts.
HEAR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
SLOW = "select count(*) from range(100000) a, range(100000) b, range(1000) c where hash(a.range, b.range, c.range) = 7"


def test_people_get_a_time_limit(store_path: Path) -> None:
    with pytest.raises(QueryError, match="stopped after 0.2 seconds"):
        tsea_db.open(store_path).user_sql(SLOW, seconds=0.2)
    assert tsea_db.open(store_path).user_sql("select 1").rows.num_rows == 1


def test_people_see_a_thousand_rows_and_export_all(store_path: Path) -> None:
    shown = tsea("sql", "select range as n from range(1001)", store=store_path)
    assert "There are more than 1,000 rows" in shown.stderr
    assert len(shown.stdout.splitlines()) < 1010
    assert "more than" not in tsea("sql", "from range(1000)", store=store_path).stderr
    exported = tsea("sql", "from range(1001)", "--format", "csv", store=store_path)
    assert len(exported.stdout.splitlines()) == 1002
    answer = tsea_db.open(store_path).user_sql("from range(5)", limit=3)
    assert (answer.rows.num_rows, answer.truncated) == (3, True)


@pytest.mark.slow
def test_interrupting_stops_the_query(store_path: Path) -> None:
    code = f"{HEAR_CTRL_C}; from tsea_db.cli.main import run; print('ready', flush=True); run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--store", store_path, "sql", SLOW],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted: the query was stopped." in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_interrupting_is_a_keyboard_interrupt_in_python(store_path: Path) -> None:
    code = (
        f"{HEAR_CTRL_C}; import sys, tsea_db; store = tsea_db.open(sys.argv[1]); print('ready', flush=True)\n"
        "try: store.sql(sys.argv[2])\n"
        "except KeyboardInterrupt: print('stopped')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, store_path, SLOW], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert output == "stopped\n"


def test_unknown_names_are_answered_with_near_ones(tiny_store: Store) -> None:
    with pytest.raises(InputError, match="Did you mean verb_past_strict"):
        tiny_store.members("verb_past_strct")
    with pytest.raises(InputError, match="Did you mean blocks.2.mlp"):
        tiny_store.feature("block.2.mlp", 0)
    with pytest.raises(InputError, match="features 0 to 1023"):
        tiny_store.feature("blocks.2.mlp", 1024)
    with pytest.raises(InputError, match="there is no feature -1"):
        tiny_store.logit_weights("blocks.2.mlp", -1)
