"""What rules fire on and what stays of it, against the tables read in another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.rules import SET_RULE, labels, write
from tsea_db import Store
from tsea_db.labels.apply import Labelling
from tsea_db.rules import default_rules

NO_BACKGROUND = "[background]\nlambda = 1e9\n"
COMPOSITE = '[[rule]]\nname = "c"\nkind = "composite"\n'
BOTH = "sets = ['verb_past', 'verb_past_participle']\n"


def applied(store: Store, folder: Path, text: str) -> Labelling:
    return store.label(write(folder, text), dry_run=True).labelling


def scores(store: Store, name: str) -> pd.DataFrame:
    """Every feature's score for one set, with what is on top of it, in no way that the rules read them."""
    rows = store.sql(
        'select s.sae_id, s.feature, s.set_id, z_direction z, log10_q, es, "lambda" inflation, null_median, null_mad, '
        "if(z_direction > 0, top_token_ids, bottom_token_ids) ids from scores s join token_sets t using (set_id) "
        "join sae_sets a on a.sae_id = s.sae_id and a.set_id = s.set_id "
        "join features f on f.sae_id = s.sae_id and f.feature = s.feature where t.name = $name order by all",
        {"name": name},
    ).df()
    members = {
        i
        for (i,) in store.sql(
            "select token_id from memberships join token_sets using (set_id) where name = $name", {"name": name}
        ).fetchall()
    }
    [(vocabulary,)] = store.sql("select d_vocab from models").fetchall()
    n, chance = min(20, len(members)), len(members) / vocabulary
    on_top = rows["ids"].map(lambda ids: sum(i in members for i in ids[:n]))
    return rows.assign(share=(on_top / n - chance) / (1 - chance))


def pairs(rows: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(rows["sae_id"], rows["feature"], strict=True))


@pytest.mark.parametrize("name", ["verb_past", "all_caps"])
@pytest.mark.parametrize(("direction", "sign"), [("promotes", 1), ("suppresses", -1)])
def test_a_rule_about_one_set_fires_on_all_that_meet_it(
    labelled_store: Store, tmp_path: Path, name: str, direction: str, sign: int
) -> None:
    """A set that many features move, and one that few do; both ways; beyond the background where it is one."""
    rule = SET_RULE + f"direction = '{direction}'\nsets = ['{name}']\nwhere = {{ log10_q.below = -2 }}\n"
    found = applied(labelled_store, tmp_path, rule).labels.to_pandas()
    rows = scores(labelled_store, name)
    significant = rows[(rows["z"] * sign > 0) & (rows["log10_q"] < -2)]
    deviation = (significant["z"] - significant["null_median"]).abs() / significant["null_mad"]
    background = significant["inflation"] > 2
    assert pairs(found) == pairs(significant[~background | (deviation > 3)]) != set()
    assert set(found["direction"]) == {direction}
    mild = rule + "[background]\nlambda = 0.5\ndeviation = 4.5\n"
    assert pairs(applied(labelled_store, tmp_path, mild).labels.to_pandas()) == pairs(
        significant[(significant["inflation"] <= 0.5) | (deviation > 4.5)]
    )
    assert pairs(applied(labelled_store, tmp_path, rule + NO_BACKGROUND).labels.to_pandas()) == pairs(significant)


@pytest.mark.parametrize(("direction", "sign"), [("promotes", 1), ("suppresses", -1)])
def test_a_share_of_top_tokens_is_asked_both_ways(
    labelled_store: Store, tmp_path: Path, direction: str, sign: int
) -> None:
    """Of the top tokens where a set is promoted, of the bottom ones where it is suppressed."""
    rows = scores(labelled_store, "verb_past")
    rows = rows[(rows["z"] * sign > 0) & (rows["log10_q"] < -0.5)]
    for condition, wanted in (
        ("top_share.at_least = 0.2", rows["share"] >= 0.2),
        ("top_share = { above = 0.0, below = 0.2 }", (rows["share"] > 0) & (rows["share"] < 0.2)),
    ):
        rule = SET_RULE + f"direction = '{direction}'\nsets = ['verb_past']\n[rule.where]\nlog10_q.below = -0.5\n"
        rule += condition + "\n"
        found = applied(labelled_store, tmp_path, NO_BACKGROUND + rule).labels.to_pandas()
        assert pairs(found) == pairs(rows[wanted]) != set()


def test_families_and_exceptions(labelled_store: Store, tmp_path: Path) -> None:
    families = dict(labelled_store.sql("select set_id, family from token_sets").fetchall())
    names = dict(labelled_store.sql("select set_id, name from token_sets").fetchall())
    where = "where.log10_q.below = -2\n"
    all_of_it = labels(labelled_store, write(tmp_path, SET_RULE + "families = ['verb_forms']\n" + where))
    assert set(all_of_it["set_id"].map(families)) == {"verb_forms"}
    excepted = all_of_it["set_id"][0]
    some = SET_RULE + f"families = ['verb_forms']\nexcept_sets = ['{names[excepted]}']\n" + where
    rest = labels(labelled_store, write(tmp_path, some))
    assert set(rest["set_id"]) >= set(all_of_it["set_id"]) - {excepted} != set()
    assert excepted not in set(rest["set_id"])


@pytest.mark.parametrize(("direction", "sign"), [("promotes", 1), ("suppresses", -1)])
def test_contrasts_fire_where_both_scores_point_their_way(
    labelled_store: Store, tmp_path: Path, direction: str, sign: int
) -> None:
    rule = COMPOSITE + f"contrasts = true\ndirection = '{direction}'\n"
    rule += "where = { log10_q.below = -0.3, given_log10_q.below = -0.3 }\n"
    found = applied(labelled_store, tmp_path, NO_BACKGROUND + rule).labels.to_pandas()
    rows = labelled_store.sql(
        "select g.sae_id, g.feature, set_a set_id, set_b given_id, z_direction z, z_a_given_b given_z, "
        "s.log10_q, g.log10_q given_log10_q from contrast_scores g join contrasts using (contrast_id) "
        "join scores s on s.sae_id = g.sae_id and s.feature = g.feature and s.set_id = set_a"
    ).df()
    significant = rows[(rows["log10_q"] < -0.3) & (rows["given_log10_q"] < -0.3) & (rows["z"] * sign > 0)]
    wanted = significant[significant["given_z"] * sign > 0]
    assert len(wanted) < len(significant)  # some point the other way once the other set is given
    columns = ["sae_id", "feature", "set_id", "given_id", "given_z", "given_log10_q"]
    expected = wanted[columns].sort_values(columns[:4], ignore_index=True)
    pd.testing.assert_frame_equal(
        found[columns].sort_values(columns[:4], ignore_index=True), expected, check_dtype=False
    )


def test_a_set_given_another_fires_both_ways(labelled_store: Store, tmp_path: Path) -> None:
    given = labelled_store.sql("from conditional_q('verb_past', 'verb_past_participle', q := 1.0)").df()
    below = np.log10(0.9)
    for direction, sign in (("promotes", 1), ("suppresses", -1)):
        rule = COMPOSITE + f"direction = '{direction}'\nsets = ['verb_past']\n"
        rule += (
            f"given = 'verb_past_participle'\nwhere = {{ log10_q.below = {below}, given_log10_q.below = {below} }}\n"
        )
        found = applied(labelled_store, tmp_path, NO_BACKGROUND + rule).labels.to_pandas()
        wanted = (given["log10_q_a"] < below) & (given["log10_q"] < below) & (given["z_a"] * sign > 0)
        both = wanted & (given["z"] * sign > 0)
        assert 0 < both.sum() < wanted.sum()
        assert pairs(found) == pairs(given[both])


def test_only_labels_of_one_group_go_where_rules_contradict(labelled_store: Store, tmp_path: Path) -> None:
    """A rule that excludes a set contradicts one that names it: both labels stay, and the report counts them."""
    excluding = COMPOSITE + "sets = ['verb_past_strict']\nbut_not = ['verb_past']\nwhere.log10_q.below = -2\n"
    naming = SET_RULE + "sets = ['verb_past']\nwhere.log10_q.below = -0.5\n"
    found = applied(labelled_store, tmp_path, excluding + naming)
    [clash] = found.clashes
    rows = found.labels.to_pandas()
    both = pairs(rows[rows["rule"] == "c"]) & pairs(rows[rows["rule"] == "p"])
    assert (clash.kept, clash.features) == (True, len(both))
    assert both
    name, feature = clash.example
    [(sae_id,)] = labelled_store.sql("select sae_id from saes where name = $name", {"name": name}).fetchall()
    assert (sae_id, feature) in both


def test_the_first_rule_of_a_group_keeps_its_label(labelled_store: Store, tmp_path: Path) -> None:
    one = '[[rule]]\nname = "{}"\nkind = "class"\ngroup = "shape"\nwhere.kurtosis.above = {}\n'
    rows = applied(labelled_store, tmp_path, one.format("any", 5) + one.format("high", 8)).labels.to_pandas()
    assert set(rows["rule"]) == {"any"}
    [(above,)] = labelled_store.sql("select count(*) from features where kurtosis > 5").fetchall()
    assert len(rows) == above


def weaker_given_stronger(store: Store, *names: str) -> pd.DataFrame:
    """z of two sets for features that promote both, and of the weaker one given the stronger."""
    rows = [
        store.sql(
            f"select sae_id, feature, set_id, z_a, z_b, z, log10_two_sided_p(z) log10_p from conditional('{a}', '{b}') "
            "join scores s using (sae_id, feature, set_id) where z_a > 0 and s.log10_q < -1"
        ).df()
        for a, b in (names, names[::-1])
    ]
    found = pd.concat(rows)
    found = found[found.groupby(["sae_id", "feature"])["set_id"].transform("size") == 2]
    return found[found["z_a"] < found["z_b"]]


def test_the_level_of_redundancy_is_the_files(labelled_store: Store, tmp_path: Path) -> None:
    names = ("verb_past_strict", "verb_past")
    rule = NO_BACKGROUND + SET_RULE + f"sets = {list(names)}\nwhere.log10_q.below = -1\n"
    weaker = weaker_given_stronger(labelled_store, *names)
    dropped = {}
    for level in (0.2, 0.01, 1e-6):
        found = applied(labelled_store, tmp_path, f"[redundancy]\nlevel = {level}\n" + rule)
        stays = (weaker["z"] > 0) & (weaker["log10_p"] < np.log10(level))
        dropped[level] = found.redundant
        assert found.redundant == (~stays).sum()
    assert 0 < dropped[0.2] < dropped[1e-6]


def test_only_labels_of_set_rules_are_collapsed(labelled_store: Store, tmp_path: Path) -> None:
    """What a composite rule names neither goes for a stronger set nor takes a weaker one's label away."""
    where = "where.log10_q.below = -1\n"
    one = SET_RULE + "sets = ['verb_past_participle']\n" + where
    alone = applied(labelled_store, tmp_path, one)
    other = COMPOSITE + "sets = ['verb_past']\n" + where
    beside = applied(labelled_store, tmp_path, other + one)
    assert (alone.redundant, beside.redundant) == (0, 0)
    rows = beside.labels.to_pandas()
    assert pairs(rows[rows["rule"] == "p"]) == pairs(alone.labels.to_pandas())
    same = applied(labelled_store, tmp_path, COMPOSITE + "sets = ['verb_past_participle']\n" + where)
    collapsed = applied(
        labelled_store,
        tmp_path,
        COMPOSITE + "sets = ['verb_past_participle']\n" + where + SET_RULE + BOTH + where,
    )
    assert collapsed.redundant > 0
    kept = collapsed.labels.to_pandas()
    assert pairs(kept[kept["rule"] == "c"]) == pairs(same.labels.to_pandas())


def test_positions_run_from_classes_to_the_weakest_set(labelled_store: Store, tmp_path: Path) -> None:
    """Stored labels, and rules that name a feature in all three ways: classes, composites, then sets by abs(z)."""
    stored = labelled_store.sql("from labels").df()
    assert (stored.groupby(["sae_id", "feature"])["z"].agg(lambda z: (z < 0).any() and (z > 0).any())).any()
    classes = '[[rule]]\nname = "b"\nkind = "class"\nwhere.kurtosis.above = 4\n'
    classes += '[[rule]]\nname = "a"\nkind = "class"\nwhere.kurtosis.above = 2\n'
    text = SET_RULE + "where.log10_q.below = -2\n" + COMPOSITE + "sets = ['verb_past']\nwhere.log10_q.below = -2\n"
    down = SET_RULE.replace('"p"', '"s"') + "direction = 'suppresses'\nwhere.log10_q.below = -2\n"
    own = applied(labelled_store, tmp_path, text + down + classes)
    for rows, order in (
        (stored, [rule.name for rule in default_rules().rules]),
        (own.labels.to_pandas(), ["c", "b", "a", "p", "s"]),
    ):
        place = rows["rule"].map(order.index).where(rows["kind"] != "set", len(order))
        size = -rows["z"].abs().fillna(0).where(rows["kind"] == "set", 0)
        expected = rows.assign(place=place, size=size).sort_values(
            ["sae_id", "feature", "place", "size", "position"], kind="stable"
        )
        again = expected.groupby(["sae_id", "feature"]).cumcount() + 1
        assert again.tolist() == expected["position"].tolist()


def test_confidence_follows_the_files_grades(labelled_store: Store, tmp_path: Path) -> None:
    grades = "[confidence]\nhigh_log10_q = -4\nhigh_share = 0.4\npart_es = 0.7\nfew_share = 0.3\n"
    rows = labels(labelled_store, write(tmp_path, grades + SET_RULE + "where.log10_q.below = -2\n"))
    high = (rows["log10_q"] < -4) & (rows["top_share"] >= np.float32(0.4))
    low = ~high & ((rows["es"].abs() < 0.7) | (rows["top_share"] < 0.3))
    expected = np.where(high, "high", np.where(low, "low", "medium"))
    assert rows["confidence"].tolist() == expected.tolist()
    assert set(expected) == {"high", "medium", "low"}


def test_the_wording_of_sentences(labelled_store: Store) -> None:
    """Each grade's words, and at most five different tokens."""
    rows = labelled_store.sql(
        "select l.*, phrase from labels l join token_sets using (set_id) "
        "where kind = 'set' and len(evidence_tokens) > 0"
    ).df()
    part = (rows["confidence"] == "low") & (rows["es"].abs() < 0.6)
    few = (rows["confidence"] == "low") & ~part
    shifts = rows["direction"].map({"promotes": "shifts up", "suppresses": "shifts down"})
    verb = np.where(part, rows["direction"] + " part of", np.where(few, shifts, rows["direction"]))
    for row, start in zip(rows.itertuples(), verb, strict=True):
        bare = [token.strip(" \t") for token in row.evidence_tokens]
        if all(bare) and not any("\n" in token for token in row.evidence_tokens):
            assert row.sentence == f"{start} {row.phrase}: {', '.join(list(dict.fromkeys(bare))[:5])}"
    assert set(zip(rows["direction"], rows["confidence"], strict=True)) >= {
        ("promotes", "low"), ("suppresses", "low"), ("promotes", "high"),
    }  # fmt: skip
    assert part.any()
    assert few.any()
