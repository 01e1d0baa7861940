"""The library on disk: the same sets, for the same vocabulary and the same files only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsea_db.disk_cache import cache_folder
from tsea_db.token_sets import build_catalogue, cache, load_catalogue
from tsea_db.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_bytes([b" walked", b" began", b"ing", b"12", b"\n", b"<end>", b" Monday"], special=[5])


def described(vocabulary: Vocabulary, folder: Path | None = None) -> list[tuple[object, ...]]:
    sets = build_catalogue(vocabulary) if folder is None else load_catalogue(vocabulary, folder)
    fields = ("name", "family", "phrase", "definition", "source", "version", "tags", "content_hash")
    return [tuple(getattr(token_set, field) for field in fields) for token_set in sets]


def test_cached_library_is_the_built_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = described(VOCABULARY)
    assert described(VOCABULARY, tmp_path) == built
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(cache, "build_catalogue", lambda _: pytest.fail("built again"))
    assert described(VOCABULARY, tmp_path) == built


def test_another_vocabulary_has_its_own(tmp_path: Path) -> None:
    described(VOCABULARY, tmp_path)
    other = Vocabulary(VOCABULARY.data, frozenset(), VOCABULARY.starts_word)
    assert described(other, tmp_path) == described(other)
    assert len(list(tmp_path.iterdir())) == 2


def test_changed_files_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(VOCABULARY, tmp_path)
    monkeypatch.setattr(cache, "catalogue_hash", lambda: "another")
    described(VOCABULARY, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_damaged_file_is_built_anew(damage: str, tmp_path: Path) -> None:
    built = described(VOCABULARY, tmp_path)
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "empty": b"",
        "other": b"not a cache",
    }[damage]
    file.write_bytes(damaged)
    assert described(VOCABULARY, tmp_path) == built
    assert file.read_bytes() != damaged


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert described(VOCABULARY, tmp_path / "file") == described(VOCABULARY)


def test_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TSEA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "tsea-db"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder().parts[-3:] == ("Library", "Caches", "tsea-db")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "tsea-db"
    monkeypatch.setenv("TSEA_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
