"""SQL from notebooks and from people."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import tsea_db
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
        tsea_db.open(store_path).sql_from_people(query)
    assert store_path.read_bytes() == before
    assert {file.name for file in store_path.parent.iterdir()} == {store_path.name}


@pytest.mark.parametrize("query", ["show tables", "describe saes", "explain select 1", "with x as (select 1) from x"])
def test_what_people_may_do(store_path: Path, query: str) -> None:
    assert tsea_db.open(store_path).sql_from_people(query).rows.num_rows > 0


def test_unknown_names_are_answered_with_near_ones(tiny_store: Store) -> None:
    with pytest.raises(InputError, match="Did you mean verb_past_strict"):
        tiny_store.members("verb_past_strct")
    with pytest.raises(InputError, match="Did you mean blocks.2.mlp"):
        tiny_store.feature("block.2.mlp", 0)
    with pytest.raises(InputError, match="features 0 to 1023"):
        tiny_store.feature("blocks.2.mlp", 1024)
    with pytest.raises(InputError, match="there is no feature -1"):
        tiny_store.logit_weights("blocks.2.mlp", -1)
