"""Kept tables are those that would be computed, and no damage to the folder does harm."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from tsea_db.statistics.token_null import TokenNull, build_token_null, load_token_null

SIZES = np.array([60, 7, 60, 940])


def assert_same(one: TokenNull, other: TokenNull) -> None:
    for field in fields(TokenNull):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def test_kept_tables_are_those_that_were_computed(tmp_path: Path) -> None:
    computed = build_token_null(SIZES, 1_000)
    for _ in range(2):
        assert_same(load_token_null(SIZES, 1_000, tmp_path), computed)
    assert len(list(tmp_path.iterdir())) == 1


def test_other_sizes_and_other_vocabularies_have_tables_of_their_own(tmp_path: Path) -> None:
    for sizes, n_tokens in ((SIZES, 1_000), (SIZES, 1_001), (SIZES[1:2], 1_000)):
        load_token_null(sizes, n_tokens, tmp_path)
        assert_same(load_token_null(sizes, n_tokens, tmp_path), build_token_null(sizes, n_tokens))
    assert len(list(tmp_path.iterdir())) == 3


def test_damaged_files_are_made_anew(tmp_path: Path) -> None:
    computed = load_token_null(SIZES, 1_000, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:middle], b"", whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]):
        path.write_bytes(damaged)
        assert_same(load_token_null(SIZES, 1_000, tmp_path), computed)
        assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_same(load_token_null(SIZES, 1_000, tmp_path / "file" / "folder"), build_token_null(SIZES, 1_000))
