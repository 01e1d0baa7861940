"""docs/token-sets.md says what is so, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support import gpt2
from tsea_db.token_sets import FAMILIES, TokenSet, read_contrasts
from tsea_db.token_sets.files import load_sets

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "token-sets.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_table_of_families() -> None:
    rows = []
    for family in FAMILIES:
        sets = [s for s in gpt2.catalogue().values() if s.family == family.name]
        sizes = [len(s) for s in sets if len(s) >= 5]
        numbers = [f"{n:,}" for n in (min(sizes), int(np.median(sizes)), max(sizes))] if sizes else ["", "", ""]
        cells = [f"`{family.name}`", family.title, str(len(sets)), str(len(sizes)), *numbers]
        rows.append(re.sub(r" +", " ", f"| {' | '.join(cells)} |"))
    assert "\n".join(rows) in PAGE


def test_numbers_in_the_text() -> None:
    catalogue = gpt2.catalogue()
    assert f"{sum(len(s) >= 5 for s in catalogue.values())} of them have five" in PAGE
    assert f"declares {len(read_contrasts())} pairs" in PAGE
    membership = np.zeros(len(gpt2.vocabulary()), int)
    for token_set in catalogue.values():
        membership[token_set.token_ids] += 1
    assert membership.min() >= 2
    assert np.median(membership) >= 10


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    [toml] = blocks("toml")
    (tmp_path / "mine.toml").write_text(toml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TSEA_CACHE_DIR", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(code, names)
    assert (tmp_path / "sets.csv").stat().st_size > 10_000
    assert "pets hamster not a single token" in capsys.readouterr().out


def test_own_sets_of_the_example_hold_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(blocks("toml")[0], encoding="utf-8")
    built = {s.name: s for s in load_sets(path, gpt2.vocabulary(), list(gpt2.catalogue().values())).sets}

    def texts(token_set: TokenSet) -> set[str]:
        return {gpt2.vocabulary().texts[i] for i in token_set.token_ids}

    assert {" cat", " Dogs", " dog"} <= texts(built["pets"])
    assert {"!", "!!", " NASA"} <= texts(built["shouting"])
    assert {"1", "12"} <= texts(built["short_numbers"])
    assert not {" 1", "123"} & texts(built["short_numbers"])
    assert not texts(built["tagger_only_past"]) & texts(gpt2.catalogue()["verb_past"])
    assert all(s.family == "mine" and s.source == "my notes" for s in built.values())
