"""A store of any size with made-up scores, to measure questions on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tsea_db
from tsea_db.store.file import StoreFile

if TYPE_CHECKING:
    import duckdb

_SCORES = Path(__file__).with_name("generated_scores.sql")
_FEATURES = Path(__file__).with_name("generated_features.sql")
_D_VOCAB = 50_257
_D_EFF = 767
_NAMED = {
    0: ("verb_past", "past-tense verbs"),
    1: ("verb_past_participle", "past participles"),
    2: ("first_names_boys", "boys' first names"),
    3: ("first_names_girls", "girls' first names"),
}


@dataclass(frozen=True)
class Size:
    """How much to make up: the defaults are GPT-2 small with twelve SAEs and 350 sets, 103 M scores."""

    n_saes: int = 12
    n_features: int = 24_576
    n_sets: int = 350
    planted: float = 0.01


def generate(path: Path, size: Size) -> None:
    """Make a store at ``path``."""
    tsea_db.create(path)
    with StoreFile(path).writer() as engine, engine.begin() as connection:
        raw: Any = connection.connection.driver_connection
        _run(raw, "select setseed(0.25)")
        _model(raw, size)
        for sae_id in range(size.n_saes):
            _sae(raw, size, sae_id)
    with StoreFile(path).writer() as engine, engine.connect() as connection:
        connection.exec_driver_sql("checkpoint")


def _run(raw: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None) -> None:
    raw.execute(query, values).fetchall()


def _model(raw: duckdb.DuckDBPyConnection, size: Size) -> None:
    """Enter a model, its tokens, its sets, and what chance does with them."""
    _run(raw, "insert into models values (0, 'generated', '', '', '', 768, $v, 12, 'LN', null)", {"v": _D_VOCAB})
    _run(
        raw,
        "insert into tokens select 0, i, ' token' || i, encode(' token' || i), false, true from range($v) as t (i)",
        {"v": _D_VOCAB},
    )
    names = ", ".join(f"({i}, $name_{i}, $phrase_{i})" for i in _NAMED)
    bound = {f"{part}_{i}": text[k] for i, text in _NAMED.items() for k, part in enumerate(("name", "phrase"))}
    _run(
        raw,
        "insert into token_sets select i, 0, coalesce(name, 'set_' || i), 'generated', coalesce(phrase, 'set ' || i), "  # noqa: S608 - numbers of ours
        "20 + (i * 37) % 900, 'hash', 'made up', 'made up', 1, [] "
        f"from range($n) as t (i) left join (values {names}) as named (place, name, phrase) on place = i order by i",
        {"n": size.n_sets, **bound},
    )
    _run(
        raw,
        "insert into memberships select distinct set_id, ((set_id * 131 + j * j * 17 + j * 7919) % $v)::integer "
        "from token_sets, range(0, 920) as t (j) where j < size order by all",
        {"v": _D_VOCAB},
    )
    _run(
        raw,
        "insert into set_nulls by name select 0 as model_id, 'folded+centred' as processing, set_id, 4000 as n_draws, "
        "0 as seed, $d as d_eff, 0.2 as mean_abs_es, 0.5 as threshold, 0.3 as decodability, "
        "0.12 as chance_decodability from token_sets",
        {"d": _D_EFF},
    )
    _run(
        raw,
        "insert into moment_nulls values (0, 'folded+centred', 20000, 0, $d, [0.001, 0.5, 0.999], [2.9, 3.1, 3.6], "
        "[-0.5, 0, 0.5], [0.8, 1, 1.3])",
        {"d": _D_EFF},
    )
    _run(
        raw,
        "insert into set_overlaps select 0, 'folded+centred', a.set_id, b.set_id, 0, 0, 0, "
        "0.9 * exp(-abs(a.set_id - b.set_id) / 2.0) from token_sets as a, token_sets as b where a.set_id <> b.set_id",
    )
    _run(raw, "insert into contrasts values (0, 0, 0, 1, null, null), (1, 0, 1, 0, null, null)")


def _sae(raw: duckdb.DuckDBPyConnection, size: Size, sae_id: int) -> None:
    """Enter an SAE with its features and scores."""
    name = f"blocks.{sae_id}.hook_resid_pre"
    _run(
        raw,
        "insert into saes values ($i, 0, 'folded+centred', $name, $name, $i, $n, 'standard', $name, '', '', false, '')",
        {"i": sae_id, "name": name, "n": size.n_features},
    )
    bound = {"n_sets": size.n_sets, "n_features": size.n_features, "planted": size.planted, "sae_id": sae_id}
    _run(raw, _SCORES.read_text(encoding="utf-8"), bound)
    _run(raw, _FEATURES.read_text(encoding="utf-8"), {"sae_id": sae_id, "d_vocab": _D_VOCAB})
    _run(
        raw,
        "insert into sae_sets select $i, set_id, content_hash, $n, 0.0, 1.0, 1.0 + (set_id % 7 = 3)::integer * 1.5, "
        "0.04, null from token_sets order by set_id",
        {"i": sae_id, "n": size.n_features},
    )
    _run(
        raw,
        "insert into contrast_scores select sae_id, 0, feature, z, log10_p, log10_q "
        "from conditional_q('verb_past', 'verb_past_participle', q := 1.0) where sae_id = $i",
        {"i": sae_id},
    )
