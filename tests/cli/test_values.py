"""What commands print, read back and compared with the tables: order, signs, columns, counts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tsea_db
from tests.support import tiny_lm
from tests.support.command_line import tsea
from tests.support.printed import number, table
from tests.support.rules import SET_RULE, write
from tsea_db import Store
from tsea_db.cli.ingest import print_ingested
from tsea_db.cli.main import main
from tsea_db.cli.printing import cell, control_shares, print_table
from tsea_db.store.saes import IngestedSae

SAE, FEATURE = "blocks.3.hook_resid_post", 394


def printed(store: Store, *arguments: object) -> str:
    result = tsea(*arguments, store=store.path)
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(store: Store, *arguments: object) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed(store, *arguments, "--format", "csv"))))


def test_cells_are_written_for_a_person() -> None:
    written: list[tuple[object, str]] = [
        (None, ""), (True, "yes"), (False, "no"), (1438, "1,438"), (0, "0"), (-1234567, "-1,234,567"), (0.5, "0.5"),
        (1234.5, "1,234.5"), (2.0, "2"), (0.00012345, "0.0001234"), (-0.00099, "-0.00099"), (0.001, "0.001"),
        (0.0, "0"), (-1234.5, "-1,234.5"),
        ("text", "text"), ((" a", 1438, None), "' a' 1,438 "),
    ]  # fmt: skip
    assert [cell(value) for value, _ in written] == [text for _, text in written]
    assert [cell(float("nan")), cell(pd.NA), cell(np.array([1.5, 2.0])), cell([" x"])] == ["", "", "1.5 2", "' x'"]


def test_numbers_that_name_something_are_printed_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"feature": [1438, 7], "set_id": [1000, 2], "n": [1438, 7], "text": ["a", "b"]})
    print_table(rows, title="numbers")
    output = capsys.readouterr().out
    assert table(output, "numbers") == [
        {"feature": "1438", "set_id": "1000", "n": "1,438", "text": "a"},
        {"feature": "7", "set_id": "2", "n": "7", "text": "b"},
    ]
    first, second = [line for line in output.splitlines() if line.rstrip().endswith((" a", " b"))]
    assert second.index("7") == first.index("1438") + 3  # numbers stand to the right
    assert second.index("b") == first.index("a")


def test_the_number_of_a_feature_can_be_typed_again(labelled_store: Store) -> None:
    output = printed(labelled_store, "find", "--enriched", "past-tense-only verbs", "--given", "participle-only verbs")
    numbers = [row["feature"] for row in table(output)]
    assert "1438" in numbers
    assert all(number.isdigit() for number in numbers)
    answer = printed(labelled_store, "query", "run", "enriched_given", "-p", "a=verb_past_strict", "-p", "b=all_caps")
    assert any(len(row["feature"]) == 4 and row["feature"].isdigit() for row in table(answer))


@pytest.mark.parametrize(("top", "shown"), [((), 10), (("--top", 3), 3)])
def test_a_features_sets_stand_strongest_first_both_ways(
    labelled_store: Store, top: tuple[object, ...], shown: int
) -> None:
    output = printed(labelled_store, "feature", SAE, FEATURE, *top)
    for title, order in (("promotes (by z)", "desc"), ("suppresses (by z)", "asc")):
        expected = labelled_store.sql(
            "select set_name, phrase, size, z_direction, log10_q, es, nes from scored "
            f"where sae = $sae and feature = $feature order by z_direction {order} limit {shown}",
            {"sae": SAE, "feature": FEATURE},
        ).fetchall()
        rows = table(output, title)
        columns = ("name", "phrase", "size", "z_direction", "log10_q", "es", "nes")
        assert [tuple(row[c] for c in columns) for row in rows] == [tuple(map(cell, row)) for row in expected]


def test_a_feature_is_shown_with_its_moments_and_tokens(labelled_store: Store) -> None:
    lines = printed(labelled_store, "feature", SAE, FEATURE).splitlines()
    report = labelled_store.feature(SAE, FEATURE)
    columns = report.columns
    assert lines[0] == (
        f"{SAE} feature {FEATURE}: writes at blocks.3.hook_resid_post of {columns['model']} (folded+centred)"
    )
    for name in ("mean", "std", "skewness", "kurtosis", "cosine_variance", "decoder_norm", "log10_density"):
        assert f"  {name:<16}{cell(columns[name])}" in lines
    for end in ("top", "bottom"):
        tokens = lines[lines.index(f"{end} tokens (logit weight)") + 1]
        assert tokens.startswith(f"  {columns[f'{end}_tokens'][0]!r} {columns[f'{end}_logits'][0]:.2f}  ")
        assert tokens.endswith(f"{columns[f'{end}_tokens'][19]!r} {columns[f'{end}_logits'][19]:.2f}")
    said = lines[lines.index("labels") + 1 :]
    for line, row in zip(said, report.labels.itertuples(), strict=False):
        assert line == f"  {row.sentence} ({row.confidence})"


def test_classes_have_no_confidence_and_unnamed_features_their_nearest_set(labelled_store: Store) -> None:
    [(sae, feature, sentence)] = labelled_store.sql(
        "select sae, feature, sentence from feature_classes c semi join near_misses n using (sae_id, feature) "
        "order by sae, feature limit 1"
    ).fetchall()
    lines = printed(labelled_store, "feature", sae, feature).splitlines()
    assert f"  {sentence}" in lines
    near = labelled_store.feature(sae, feature).near_miss
    assert near is not None
    assert (
        f"  No set names it. Nearest: {near['direction']} {near['phrase']} (z {near['z']:.2f}), but {near['why']}."
        in lines
    )


def test_a_feature_without_effect_shows_no_scores(own_store: Store) -> None:
    """It has no moments and no scores; what the command says of it ends there."""
    own_store.sql(
        "update features set zero_direction = true, std = null, kurtosis = null where feature = 5 and sae_id = "
        "(select sae_id from saes where name = 'blocks.2.mlp')"
    )
    lines = printed(own_store, "feature", "blocks.2.mlp", 5).splitlines()
    assert "  Its direction has no effect on the logits, so it has no scores." in lines
    assert f"  {'kurtosis':<16}" in lines
    assert not any("tokens (logit weight)" in line or "promotes (by" in line for line in lines)
    other = printed(own_store, "feature", "blocks.2.mlp", 6)
    assert "no effect" not in other
    assert "It never fires" not in other
    own_store.sql("update features set dead = true where feature = 6")
    assert "  It never fires." in printed(own_store, "feature", "blocks.2.mlp", 6).splitlines()


def test_sets_given_another_and_all_at_once_stand_strongest_first(labelled_store: Store) -> None:
    given = labelled_store.given(SAE, FEATURE, "verb_past_participle").dropna(subset=["z_given"])
    joint = labelled_store.joint(SAE, FEATURE)
    for options, rows, by, how in (
        (("--given", "verb_past_participle"), given, "z_given", "given verb_past_participle"),
        (("--joint",), joint, "coefficient", "all sets at once"),
    ):
        output = printed(labelled_store, "feature", SAE, FEATURE, *options, "--top", 4)
        for title, ascending in (("promotes", False), ("suppresses", True)):
            expected = rows.sort_values(by, ascending=ascending, kind="stable").head(4)
            shown = table(output, f"{title} ({how})")
            assert [row["name"] for row in shown] == expected["name"].tolist()
            assert [row[by] for row in shown] == [cell(value) for value in expected[by]]


def test_a_direction_is_scored_as_from_python(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).standard_normal((2, 192))
    np.save(tmp_path / "two.npy", vectors)
    result = tsea("score", tmp_path / "two.npy", "--model", tiny_lm.MODEL, "--top", 2)
    assert result.exit_code == 0, result.output
    expected = tsea_db.score_direction(vectors, tiny_lm.model())
    parts = result.output.split("Direction ")[1:]
    assert [part.split()[0] for part in parts] == ["0", "1"]
    for direction, part in enumerate(parts):
        rows = expected[expected["direction"] == direction]
        for title, wanted in (("promotes", rows.head(2)), ("suppresses", rows.tail(2)[::-1])):
            shown = table(part, f"{title} (by ES)")
            assert [row["name"] for row in shown] == wanted["name"].tolist()
            assert [row["es"] for row in shown] == [cell(float(es)) for es in wanted["es"]]
            assert [row["leading_edge"] for row in shown] == [cell(int(n)) for n in wanted["leading_edge"]]


def test_null_on_the_command_line_is_no_text(labelled_store: Store) -> None:
    """``kind=null`` draws labels of every kind, and ``sae=null`` is no SAE of that name."""
    any_kind = rows_of(labelled_store, "query", "run", "sample_labels", "-p", "kind=null", "-p", "n=400")
    drawn = labelled_store.query("sample_labels", kind=None, n=400).df()
    assert [row["sentence"] for row in any_kind] == drawn["sentence"].tolist()
    assert any(row["confidence"] == "" for row in any_kind)
    near = rows_of(labelled_store, "query", "run", "near_misses", "-p", "sae=null", "-p", "limit=5")
    assert [row["z"] for row in near] == [
        row["z"] for row in rows_of(labelled_store, "query", "run", "near_misses", "-p", "limit=5")
    ]
    with_equals = tsea("query", "run", "sets_of_token", "-p", "token= ==", store=labelled_store.path)
    assert "' =='" in with_equals.output or with_equals.exit_code == 0  # only the first = parts key and value


def test_formats_have_all_rows_and_a_table_the_first_thousand(labelled_store: Store, tmp_path: Path) -> None:
    query = "select feature, 'ä' as text from features order by sae_id, feature limit 1001"
    shown = tsea("sql", query, store=labelled_store.path)
    assert len(table(shown.stdout)) == 1000
    assert "There are more than 1,000 rows" in shown.stderr
    exactly = tsea("sql", query.replace("1001", "1000"), store=labelled_store.path)
    assert len(table(exactly.stdout)) == 1000
    assert exactly.stderr == ""
    for form in ("csv", "json", "parquet"):
        file = tmp_path / f"rows.{form}"
        printed(labelled_store, "sql", query, "--format", form, "-o", file)
        rows = duckdb.connect().execute(f"select count(*), any_value(text) from '{file}'").fetchall()
        assert rows == [(1001, "ä")]
    assert "ä" in (tmp_path / "rows.json").read_text(encoding="utf-8")
    late = tsea("sql", "select count(*) from range(100000000000)", "--timeout", "0.2", store=labelled_store.path)
    assert (late.exit_code, "was stopped after 0.2 seconds" in late.stderr) == (2, True)
    nowhere = tsea("sql", query, "--format", "csv", "-o", tmp_path / "no" / "rows.csv", store=labelled_store.path)
    assert (nowhere.exit_code, "No such file" in nowhere.stderr) == (2, True)


def test_options_of_a_search_reach_it(labelled_store: Store) -> None:
    [(label, confidence)] = labelled_store.sql(
        "select label, confidence from labels where kind = 'set' group by all order by count(*) desc, label limit 1"
    ).fetchall()
    cases: list[tuple[tuple[object, ...], dict[str, object]]] = [
        (("--enriched", "verb_past", "--not-enriched", "verb_gerund", "-q", "0.01"),
         {"enriched": ("verb_past",), "not_enriched": ("verb_gerund",), "q": 0.01}),
        (("--suppressed", "verb_past", "--min-z", "3.5", "--limit", "7"),
         {"suppressed": ("verb_past",), "min_z": 3.5, "limit": 7}),
        (("--class", "partition", "--layer", "2", "--layer", "3"), {"classes": ("partition",), "layers": (2, 3)}),
        (("--label", label, "--confidence", confidence), {"labels": (label,), "confidence": confidence}),
        (("--sae", "blocks.2.mlp", "--min-kurtosis", "3.5"), {"saes": ("blocks.2.mlp",), "min_kurtosis": 3.5}),
        (("--min-density", "-2", "--max-density", "-1.9"), {"min_density": -2.0, "max_density": -1.9}),
    ]  # fmt: skip
    for options, wanted in cases:
        rows = rows_of(labelled_store, "find", *options)
        expected = labelled_store.find(**wanted).df()
        assert [(row["sae"], int(row["feature"])) for row in rows] == list(
            zip(expected["sae"], expected["feature"], strict=True)
        )
        assert 0 < len(rows) <= 50


def test_set_lists_and_members(tiny_store: Store) -> None:
    listed = printed(tiny_store, "sets", "list", "--family", "verb_forms")
    expected = tiny_store.token_sets(family="verb_forms")
    rows = table(listed, f"{len(expected)} token sets")
    for column in ("model", "family", "name", "size", "version", "stale", "phrase"):
        assert [row[column] for row in rows] == [cell(value) for value in expected[column]]
    unscored = table(printed(tiny_store, "sets", "list", "--unscored"))
    reasons = tiny_store.sql("select name, reason from unscored_sets").fetchall()
    assert sorted((row["name"], row["reason"]) for row in unscored) == sorted(reasons)
    members = tiny_store.sql(
        "select text from tokens join memberships using (token_id) join token_sets using (set_id) "
        "where name = 'verb_past' order by token_id"
    ).fetchall()
    shown = printed(tiny_store, "sets", "show", "verb_past", "--limit", 3)
    assert "  ".join(repr(text) for (text,) in members[:3]) + "\n" in shown
    assert f"... and {len(members) - 3:,} more (--limit)" in shown
    assert f"verb_past (past-tense verbs), {len(members):,} of the tokens of " in shown
    everything = printed(tiny_store, "sets", "show", "verb_past", "--limit", len(members))
    assert "more (--limit)" not in everything
    assert everything.rstrip().endswith(repr(members[-1][0]))


def test_overlaps_stand_nearest_in_direction_first(tiny_store: Store) -> None:
    rows = table(printed(tiny_store, "sets", "overlaps", "verb_past_strict", "--top", 6), "verb_past_strict of")
    expected = tiny_store.sql(
        "select b.name, b.size, intersection, jaccard, overlap_coefficient, null_corr from set_overlaps "
        "join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b "
        "where a.name = 'verb_past_strict' order by abs(null_corr) desc limit 6"
    )
    assert [tuple(row.values()) for row in rows] == [tuple(map(cell, row)) for row in expected.fetchall()]
    assert list(rows[0]) == expected.columns


def test_status_counts_what_is_there(labelled_store: Store) -> None:
    output = printed(labelled_store, "status")
    rows = {row["sae"]: row for row in table(output)}
    expected = labelled_store.sql(
        "select name, saes.hook_point, architecture, count(*) n, count(*) filter (dead) dead, "
        "count(*) filter (zero_direction) zero from features join saes using (sae_id) group by all"
    ).fetchall()
    for name, hook_point, architecture, n, dead, zero in expected:
        [(sets, scores)] = labelled_store.sql(
            "select count(*), sum(n_scored) from sae_sets join saes using (sae_id) where name = $name", {"name": name}
        ).fetchall()
        shown = [rows[name][c] for c in ("hook_point", "architecture", "features", "dead", "zero_direction", "sets")]
        assert shown == [hook_point, architecture, f"{n:,}", f"{dead:,}", f"{zero:,}", f"{sets:,}"]
        assert number(rows[name]["scores"]) == scores
        controls = labelled_store.sql(
            "select avg(share_p_direction), avg(share_p_es), avg(share_p_token) from control_scores "
            "join saes using (sae_id) where name = $name",
            {"name": name},
        ).fetchall()
        assert rows[name]["controls"] == " / ".join(map(cell, controls[0]))
    [(named, scored, unscored)] = labelled_store.sql(
        "select (select count(distinct (sae_id, feature)) from labels where kind <> 'class'), "
        "(select count(std) from features), (select count(*) from unscored_sets)"
    ).fetchall()
    assert f"{named:,} of {scored:,} scored features are named by a set: Rules of tsea-db, 2" in output
    assert f"{unscored} token sets cannot be scored" in output
    assert "Scores have changed" not in output
    assert "have no scores" not in output


def ingested(**changed: object) -> IngestedSae:
    row: dict[str, object] = {
        "sae": "a", "hook_point": "blocks.1.hook_resid_pre", "n_features": 24_576, "n_dead": 12, "n_zero_direction": 3,
        "n_sets": 350, "n_scores": 8_600_000, "n_sets_without_z": 4, "controls_direction": 0.049, "controls_es": 0.051,
        "controls_token": 0.7, "seconds": 12.34,
    }  # fmt: skip
    return IngestedSae(**{**row, **changed})  # type: ignore[arg-type]


def test_an_ingest_prints_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    second_sae = ingested(sae="b", n_dead=None, seconds=0.0, controls_direction=None)
    print_ingested([ingested(), second_sae, ingested(sae="c", n_dead=0)])
    output = capsys.readouterr().out
    first, second, third = table(output)
    assert third["dead"] == "0"
    assert first == {
        "SAE": "a", "hook point": "blocks.1.hook_resid_pre", "features": "24,576", "dead": "12", "zero direction": "3",
        "sets": "350", "scores": "8,600,000", "sets without z": "4", "seconds": "12.3",
        "controls": "0.049 / 0.051 / 0.7",
    }  # fmt: skip
    assert [second[c] for c in ("SAE", "dead", "seconds", "controls")] == [
        "b",
        "not known",
        "stored already",
        "- / 0.051 / 0.7",
    ]
    assert "controls: share of features with p < 0.05" in output
    assert control_shares({"controls_direction": 0.5, "controls_es": 0.25, "controls_token": 1.0}) == "0.5 / 0.25 / 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pending", "--model", "x"), "--pending takes the SAEs of the store"),
        (("--pending", "--sae", "x"), "--pending takes the SAEs of the store"),
        (("--pending", "--matmul-precision", "high"), "keeps to the precision that each SAE has scores in"),
        (("--model", "x"), "Give --model and at least one --sae, or --pending"),
        (("--sae", "x"), "Give --model and at least one --sae, or --pending"),
    ],
)
def test_options_of_an_ingest_that_do_not_go_together(
    store_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = tsea("ingest", *arguments, store=store_path)
    assert (result.exit_code, message in result.stderr) == (2, True)


def test_the_store_can_be_named_in_the_environment(tiny_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSEA_STORE", str(tiny_store.path))
    result = CliRunner().invoke(main, ["sql", "select count(*) as n from saes", "--format", "json"])
    assert json.loads(result.output) == [{"n": len(tiny_store.status())}]


def test_looking_at_labels_stores_nothing(own_store: Store, tmp_path: Path) -> None:
    """``--diff`` and ``--dry-run`` leave the file as it is, byte for byte."""
    rules = write(tmp_path, SET_RULE + "sets = ['verb_past']\nwhere.log10_q.below = -3\n")
    before = own_store.path.read_bytes()
    for option in ("--diff", "--dry-run"):
        printed(own_store, "label", option, "--rules", rules)
        assert own_store.path.read_bytes() == before
    printed(own_store, "label", "--rules", rules)
    assert own_store.sql("select distinct rule from labels").fetchall() == [("p",)]


def test_labelling_prints_its_counts(labelled_store: Store) -> None:
    output = printed(labelled_store, "label", "--dry-run")
    stored = labelled_store.sql("select rule, confidence, sae_id, feature from labels").df()
    rows = {row["rule"]: row for row in table(output, "Rules of tsea-db")}
    assert list(rows) == [
        "zero_direction", "dead", "prediction", "suppression", "partition", "positional", "promotes", "suppresses",
        "beyond",
    ]  # fmt: skip
    assert {row["kind"] for row in rows.values()} == {"class", "set", "composite"}
    for rule, row in rows.items():
        own = stored[stored["rule"] == rule]
        grades = [f"{(own['confidence'] == grade).sum():,}" for grade in ("high", "medium", "low")]
        features = own[["sae_id", "feature"]].drop_duplicates()
        assert [row[c] for c in ("labels", "features", "high", "medium", "low")] == [
            f"{len(own):,}", f"{len(features):,}", *grades,
        ]  # fmt: skip
    [(named, scored)] = labelled_store.sql(
        "select count(distinct (sae_id, feature)) filter (kind <> 'class'), (select count(std) from features) "
        "from labels"
    ).fetchall()
    assert f"{named:,} of {scored:,} scored features ({named / scored:.1%}) are named by a set" in output
    redundant = labelled_store.label(dry_run=True).labelling.redundant
    assert f"{redundant:,} further set labels were left out" in output
    shapes = labelled_store.sql("select * from feature_shapes").df()
    assert table(output, "classes by either preset") == [
        {
            "class": name,
            **{preset: f"{(shapes[preset] == name).sum():,}" for preset in ("random_directions", "published")},
        }
        for name in ("partition", "prediction", "suppression")
    ]


def test_changes_are_counted_and_the_first_are_shown(labelled_store: Store, tmp_path: Path) -> None:
    """Only other grades: every change is one of confidence, and says from what to what."""
    shipped = (Path(tsea_db.__file__).parent / "rules" / "default.toml").read_text()
    rules = write(tmp_path, shipped.replace("high_share = 0.5", "high_share = 0.9"))
    output = printed(labelled_store, "label", "--diff", "--rules", rules)
    expected = labelled_store.sql(
        "select rule, count(*) from labels where confidence = 'high' and top_share < 0.9 group by rule order by rule"
    ).fetchall()
    counted = table(output, "what would change")
    assert [(row["change"], row["rule"], int(row["labels"])) for row in counted] == [
        ("changed", *row) for row in expected
    ]
    total = sum(n for _, n in expected)
    assert total > 40
    shown = table(output, f"the first 40 of {total:,}")
    assert len(shown) == 40
    assert {(row["confidence_before"], row["confidence_after"]) for row in shown} <= {
        ("high", "medium"),
        ("high", "low"),
    }
    changes = labelled_store.label(rules, dry_run=True).changes.to_pandas()
    assert [(row["sae"], int(row["feature"])) for row in shown] == list(
        zip(changes["sae"][:40], changes["feature"][:40], strict=True)
    )


def test_added_and_removed_labels_are_told_apart(labelled_store: Store, tmp_path: Path) -> None:
    rules = write(tmp_path, SET_RULE + "sets = ['verb_past']\nwhere.log10_q.below = -2\n")
    report = labelled_store.label(rules, dry_run=True)
    changes = report.changes.to_pandas()
    [(stored,)] = labelled_store.sql("select count(*) from labels").fetchall()
    assert (changes["change"] == "removed").sum() == stored
    assert (changes["change"] == "added").sum() == report.labelling.labels.num_rows > 0
    added = changes[changes["change"] == "added"]
    assert set(added["rule"]) == {"p"}
    assert added["confidence_before"].isna().all()
    assert changes["confidence_after"][changes["change"] == "removed"].isna().all()
