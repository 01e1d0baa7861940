"""Labels: evidence counted again, confidence, redundancy, near misses, replacement, composites, contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tsea_db
from tests.support.command_line import tsea
from tests.support.rules import SET_RULE, labels, write
from tsea_db import Store
from tsea_db.errors import InputError, RulesError, StoreError


def test_evidence_is_what_the_tables_say(labelled_store: Store) -> None:
    """Share, tokens, confidence and sentence of every set label, counted in Python."""
    rows = labelled_store.sql(
        "select l.*, f.top_tokens, f.top_token_ids, f.bottom_tokens, f.bottom_token_ids, t.size, t.phrase, d_vocab "
        "from labels l join features f using (sae_id, feature) join token_sets t on t.set_id = l.set_id "
        "join saes using (sae_id) join models on models.model_id = saes.model_id where kind = 'set'"
    ).df()
    members = {
        set_id: set(ids)
        for set_id, ids in labelled_store.sql("select set_id, list(token_id) from memberships group by 1").fetchall()
    }
    assert len(rows) > 300
    for row in rows.itertuples():
        end = "top" if row.z > 0 else "bottom"
        n = min(20, row.size)
        ids, texts = getattr(row, f"{end}_token_ids")[:n], getattr(row, f"{end}_tokens")[:n]
        on_top = [text for i, text in zip(ids, texts, strict=True) if i in members[row.set_id]]
        chance = row.size / row.d_vocab
        share = (len(on_top) / n - chance) / (1 - chance)
        assert list(row.evidence_tokens) == on_top
        assert row.top_share == pytest.approx(share, abs=1e-6)
        assert row.direction == ("promotes" if row.z > 0 else "suppresses")
        assert row.log10_q < -2
        assert row.confidence == grade(row.log10_q, share, row.es)
        assert row.phrase in row.sentence


def grade(log10_q: float, share: float, es: float) -> str:
    if log10_q < -2 and share >= 0.5:
        return "high"
    return "low" if abs(es) < 0.6 or share < 0.2 else "medium"


def test_features_read_right(labelled_store: Store) -> None:
    said = {
        (sae, feature): sentence
        for sae, feature, sentence in labelled_store.sql(
            "select sae, feature, sentence from feature_labels where set_name = 'verb_past'"
        ).fetchall()
    }
    assert said["blocks.3.hook_resid_post", 394].endswith("said, went, answered, turned, whispered")
    assert "first names" not in said["blocks.3.hook_resid_post", 394]


def test_same_evidence_same_text(labelled_store: Store) -> None:
    different = labelled_store.sql(
        "select count(*) from (select set_id, given_id, direction, confidence, evidence_tokens, abs(es) < 0.6 as part "
        "from labels where kind <> 'class' group by all having count(distinct sentence) > 1)"
    ).fetchall()
    assert different == [(0,)]


def test_background_sets_need_more(labelled_store: Store) -> None:
    weak = (
        "from {} l join sae_sets s on s.sae_id = l.sae_id and s.set_id = l.set_id "
        'where s."lambda" > 2 and abs(l.z - null_median) <= 3 * null_mad'
    )
    assert labelled_store.sql("select count(*) " + weak.format("labels")).fetchall() == [(0,)]
    passed_q = labelled_store.sql("select count(*), any_value(why) " + weak.format("near_misses") + " and log10_q < -2")
    [(n, why)] = passed_q.fetchall()
    assert n > 0
    assert why.startswith("a background set: deviation")


def test_every_unnamed_feature_has_its_nearest_miss(labelled_store: Store) -> None:
    [(unnamed, misses, strongest)] = labelled_store.sql(
        "select (select count(*) from features where std is not null and not exists (from labels l where "
        "l.sae_id = features.sae_id and l.feature = features.feature and l.kind <> 'class')), count(*), "
        "count(*) filter (abs(m.z) >= s.z - 1e-6) from near_misses m join (select sae_id, feature, "
        "max(abs(z_direction)) z from scores group by all) s using (sae_id, feature)"
    ).fetchall()
    assert unnamed == misses == strongest > 5000
    assert labelled_store.sql("select count(*) from near_misses where why = ''").fetchall() == [(0,)]


def test_a_set_without_members_on_top_names_nothing(labelled_store: Store, tmp_path: Path) -> None:
    """It is the near miss, with the share as the reason; rules of one's own can name it, and the sentence says so."""
    rows = labelled_store.sql(
        "select count(*), count(*) filter (why like '%top_share % does not meet top_share > 0'), any_value(why) "
        "from near_misses where log10_q < -2 and why not like 'a background%'"
    ).fetchall()
    [(significant, off_top, why)] = rows
    assert significant == off_top > 50
    assert "top_share -0." in why
    named = labels(
        labelled_store, write(tmp_path, SET_RULE + "where = { log10_q.below = -2, top_share.at_most = 0 }\n")
    )
    assert (named["confidence"] == "low").all()
    without = named[named["evidence_tokens"].str.len() == 0]
    assert without["sentence"].str.match(r".* \(none among its (top|bottom) \d+ tokens\)$").all()
    assert len(without) > 50


def test_labelling_again_changes_nothing_and_other_rules_replace_all(own_small_store: Store, tmp_path: Path) -> None:
    before = own_small_store.path.read_bytes()
    again = own_small_store.label()
    assert again.changes.num_rows == 0
    assert own_small_store.path.read_bytes() == before
    rules = write(tmp_path, SET_RULE + "families = ['verb_forms']\nwhere.log10_q.below = -3\n")
    planned = own_small_store.label(rules, dry_run=True)
    assert own_small_store.path.read_bytes() == before
    changed = own_small_store.label(rules)
    assert changed.changes == planned.changes
    assert set(changed.changes["change"].to_pylist()) == {"added", "removed"}
    assert set(own_small_store.labels().df()["rule"]) == {"p"}
    [(stored, source)] = own_small_store.sql("select content_hash, source from rule_sets").fetchall()
    assert own_small_store.sql("select distinct rule_set_hash from labels").fetchall() == [(stored,)]
    assert source == str(rules)
    back = own_small_store.label()
    assert back.changes.num_rows == changed.changes.num_rows


def test_a_failed_labelling_leaves_the_labels(
    own_small_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = own_small_store.labels().df()
    from tsea_db.labels import stored as stored_labels

    def broken(*_: Any) -> None:
        raise RuntimeError("stop")

    monkeypatch.setattr(stored_labels, "insert", broken)
    with pytest.raises(RuntimeError, match="stop"):
        own_small_store.label(write(tmp_path, SET_RULE + "where.log10_q.below = -5\n"))
    pd.testing.assert_frame_equal(own_small_store.labels().df(), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SET_RULE + "sets = ['verb_past_strct']\nwhere.es.above = 0",
            "line 4: there is no token set .* verb_past_strict",
        ),
        (SET_RULE + "except_sets = ['x']\nwhere.es.above = 0", "line 4: there is no token set 'x'"),
        (SET_RULE + "families = ['verbs']\nwhere.es.above = 0", "no family 'verbs'. Did you mean verb_forms"),
    ],
)
def test_rules_that_name_what_is_not_there(labelled_store: Store, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        labelled_store.label(write(tmp_path, text), dry_run=True)


def test_a_set_that_is_not_scored(labelled_store: Store, own_small_store: Store, tmp_path: Path) -> None:
    [(name, reason)] = labelled_store.sql("select name, reason from unscored_sets limit 1").fetchall()
    with pytest.raises(RulesError, match=f"cannot be scored: {reason}"):
        labelled_store.label(write(tmp_path, SET_RULE + f"sets = ['{name}']\nwhere.es.above = 0"), dry_run=True)
    late = "family = 'own'\nsource = 'a test'\n[[set]]\nname = 'late'\nphrase = 'late words'\n"
    (tmp_path / "late.toml").write_text(late + "words = 'went said saw had was'\n")
    own_small_store.add_sets(tmp_path / "late.toml")
    with pytest.raises(RulesError, match="line 4: the token set 'late' is not scored yet. Run `tsea ingest`"):
        own_small_store.label(write(tmp_path, SET_RULE + "sets = ['late']\nwhere.es.above = 0"))


def test_thresholds_on_every_kind_of_column(labelled_store: Store, tmp_path: Path) -> None:
    rules = SET_RULE + (
        "[rule.where]\nlog10_q.below = -2\nes.above = 0.6\nnes.above = 2\ntop_share.at_least = 0.35\nsize.above = 20\n"
        "deviation.above = 3\ndecodability.above = 0.2\nlambda.below = 10\nleading_edge.above = 3\nlayer.is = 3\n"
        "kurtosis.above = 2\nfamily = 'verb_forms'\nhook_point = 'blocks.3.hook_resid_post'\nlog10_p_es.below = -1\n"
    )
    found = labels(labelled_store, write(tmp_path, rules))
    assert len(found) > 0
    assert (found["top_share"] >= 0.35).all()
    assert (found["es"] > 0.6).all()
    names = labelled_store.sql("select set_id from token_sets where family = 'verb_forms'").fetchall()
    assert set(found["set_id"]) <= {i for (i,) in names}


def test_rules_on_other_labels(labelled_store: Store, tmp_path: Path) -> None:
    first = '[[rule]]\nname = "peaked"\nkind = "class"\nwhere.kurtosis.above = 5\n'
    total = labels(labelled_store, write(tmp_path, SET_RULE + "where.log10_q.below = -2\n"))
    required = labels(
        labelled_store, write(tmp_path, first + SET_RULE + "requires = ['peaked']\nwhere.log10_q.below = -2")
    )
    barred = labels(labelled_store, write(tmp_path, first + SET_RULE + "unless = ['peaked']\nwhere.log10_q.below = -2"))
    n = [len(found[found["rule"] == "p"]) for found in (required, barred, total)]
    assert n[0] > 0
    assert n[0] + n[1] == n[2]
    assert required["sentence"][required["rule"] == "peaked"].str.match(r"peaked: kurtosis \d").all()


def test_composite_rules(labelled_store: Store, tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "past"\nkind = "composite"\nsets = ["past-tense-only verbs"]\n'
    given = rule + 'given = "participle-only verbs"\nwhere = { log10_q.below = -2, given_log10_q.below = -2 }\n'
    found = labels(labelled_store, write(tmp_path, given))
    expected = labelled_store.sql(
        "select sae_id, feature from specific('past-tense-only verbs', 'participle-only verbs', q := 0.01) "
        "join saes on saes.name = sae order by all"
    ).df()
    background = labelled_store.label(
        write(tmp_path, given.replace("[[rule]]", "[background]\nlambda = 1e9\n[[rule]]", 1)), dry_run=True
    )
    pairs = background.labelling.labels.select(["sae_id", "feature"]).to_pandas()
    pd.testing.assert_frame_equal(pairs, expected, check_dtype=False)
    assert set(found["label"]) == {"past-tense-only verbs beyond participle-only verbs"}
    assert len(found) <= len(expected)
    but_not = labels(labelled_store, write(tmp_path, rule + 'but_not = ["verb_past"]\nwhere.log10_q.below = -2\n'))
    both = labels(
        labelled_store,
        write(tmp_path, rule.replace('verbs"]', 'verbs", "verb_past"]') + "where.log10_q.below = -2\n"),
    )
    alone = labels(labelled_store, write(tmp_path, rule + "where.log10_q.below = -2\n"))
    assert len(but_not) > 0
    assert len(both) > 0
    assert len(but_not) + len(both) == len(alone)
    suppressed = labels(labelled_store, write(tmp_path, rule + 'direction = "suppresses"\nwhere.log10_q.below = -1\n'))
    assert (suppressed["z"] < 0).all()


def test_contradictions_are_reported(labelled_store: Store, tmp_path: Path) -> None:
    one = '[[rule]]\nname = "{}"\nkind = "class"\ngroup = "shape"\nwhere.kurtosis.above = {}\n'
    report = labelled_store.label(write(tmp_path, one.format("high", 8) + one.format("any", 5)), dry_run=True)
    [clash] = report.labelling.clashes
    assert (clash.rules, clash.kept) == (("high", "any"), False)
    found = report.labelling.labels.to_pandas()
    assert clash.features == (found["rule"] == "high").sum() > 0
    assert not found.duplicated(["sae_id", "feature"]).any()
    excluding = '[[rule]]\nname = "c"\nkind = "composite"\nsets = ["verb_past_strict"]\n'
    excluding += 'but_not = ["verb_past"]\nwhere.log10_q.below = -2\n'
    text = excluding + SET_RULE + "where.log10_q.below = -0.5\n"
    clashes = labelled_store.label(write(tmp_path, text), dry_run=True).labelling.clashes
    assert [(c.rules, c.kept) for c in clashes] == [(("c", "p"), True)]
    shown = tsea("label", "--rules", tmp_path / "rules.toml", "--dry-run", store=labelled_store.path)
    assert "'c' and 'p' contradict each other" in shown.output


def test_annotations(own_small_store: Store) -> None:
    assert ("positional", "no feature has the annotation positional") in own_small_store.label(
        dry_run=True
    ).labelling.inactive_rules
    own_small_store.annotate("blocks.2.mlp", "positional", {3: 0.9, 4: 0.1}, source="a probe")
    saes = [name for (name,) in own_small_store.sql("select name from saes order by sae_id").fetchall()]
    others = [name for name in saes if name != "blocks.2.mlp"]
    for other in others:
        own_small_store.annotate(other, "positional", {1: 0.2}, source="another probe")
    own_small_store.annotate("blocks.2.mlp", "depth", {3: 2.0})
    own_small_store.annotate("blocks.2.mlp", "positional", {5: 0.8, 4: 0.1}, source="a better probe")
    kept = own_small_store.sql(
        "select saes.name, a.name, feature, value from annotations a join saes using (sae_id) order by all"
    ).fetchall()
    here = [("blocks.2.mlp", "depth", 3, 2.0), ("blocks.2.mlp", "positional", 4, 0.1)]
    here.append(("blocks.2.mlp", "positional", 5, 0.8))
    assert len(others) >= 2
    assert kept == sorted([*here, *((other, "positional", 1, 0.2) for other in others)])
    own_small_store.label()
    rows = own_small_store.sql(
        "select sae, feature, sentence from feature_classes where class = 'positional'"
    ).fetchall()
    assert rows == [("blocks.2.mlp", 5, "positional: positional 0.8")]
    for bad in ({5000: 0.1}, {1: float("nan")}, {-1: 0.0}):
        with pytest.raises(InputError, match="takes finite numbers"):
            own_small_store.annotate("blocks.2.mlp", "positional", bad)
    with pytest.raises(InputError, match="no SAE called"):
        own_small_store.annotate("nothing", "positional", {1: 0.0})


def test_a_store_for_reading_is_not_labelled(labelled_store: Store) -> None:
    with pytest.raises(StoreError, match="open for reading"):
        labelled_store.label()


def test_an_empty_store(store_path: Path) -> None:
    report = tsea_db.open(store_path, mode="rw").label()
    assert (report.labelling.labels.num_rows, report.labelling.n_scored) == (0, 0)


def test_command(own_store: Store, tmp_path: Path) -> None:
    shown = tsea("label", "--diff", store=own_store.path)
    assert shown.exit_code == 0, shown.output
    assert "Nothing would change" in shown.output
    rules = write(tmp_path, SET_RULE + "where.log10_q.below = -3\n")
    assert "what would change" in tsea("label", "--diff", "--rules", rules, store=own_store.path).output
    assert "features" in tsea("label", "--rules", rules, store=own_store.path).output
    assert "'positional' cannot fire yet" in tsea("label", "--preset", "published", store=own_store.path).output
    assert own_store.sql("select preset from rule_sets").fetchall() == [("published",)]
    assert own_store.sql("select count(*) > 20 from feature_classes where class = 'suppression'").fetchall() == [
        (True,)
    ]
    failed = tsea("label", "--preset", "x", store=own_store.path)
    assert (failed.exit_code, "there is no preset 'x'" in failed.stderr) == (2, True)


def test_one_feature_shows_its_labels_or_what_it_came_nearest_to(labelled_store: Store) -> None:
    named = labelled_store.feature("blocks.3.hook_resid_post", 394)
    assert named.near_miss is None
    assert "promotes past-tense verbs of saying: said, answered, whispered, told, talked" in set(
        named.labels["sentence"]
    )
    shown = tsea("feature", "blocks.3.hook_resid_post", "394", store=labelled_store.path).output
    assert "promotes past-tense verbs of saying: said, answered, whispered, told, talked (medium)" in shown
    [(sae, feature, why)] = labelled_store.sql(
        "select name, feature, why from near_misses join saes using (sae_id) order by abs(z) desc limit 1"
    ).fetchall()
    unnamed = labelled_store.feature(sae, feature)
    assert unnamed.near_miss is not None
    assert unnamed.near_miss["why"] == why
    assert "No set names it. Nearest: " in tsea("feature", sae, str(feature), store=labelled_store.path).output


def test_status_says_when_scores_are_newer_than_labels(own_small_store: Store, tmp_path: Path) -> None:
    assert not own_small_store.label_status()["outdated"].any()
    assert "features are named by a set: Rules of tsea-db" in tsea("status", store=own_small_store.path).output
    late = "family = 'own'\nsource = 'a test'\n[[set]]\nname = 'late'\nphrase = 'late words'\n"
    (tmp_path / "late.toml").write_text(late + "words = 'went said saw had was'\n")
    own_small_store.add_sets(tmp_path / "late.toml")
    own_small_store.ingest_pending(progress=False)
    assert own_small_store.label_status()["outdated"].all()
    assert "Scores have changed since: tsea label" in tsea("status", store=own_small_store.path).output
    own_small_store.label()
    assert not own_small_store.label_status()["outdated"].any()
