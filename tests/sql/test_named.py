"""Named questions and searches: every example runs, parameters are checked, two answers are counted again."""

from __future__ import annotations

import shlex

import pyarrow as pa
import pytest

from tests.support.command_line import tsea
from tsea_db import Store
from tsea_db.errors import InputError, QueryError
from tsea_db.sql.named import named_queries
from tsea_db.sql.search import Search

_EMPTY_HERE = {"dead_features"}  # the small model's SAEs have no dead feature


def test_there_are_enough_and_each_says_what_it_is() -> None:
    queries = named_queries()
    assert len(queries) >= 15
    for name, query in queries.items():
        declared = {parameter.name for parameter in query.parameters}
        used = {word.strip("(),:;[]") for word in query.sql.replace("(", " (").split() if "$" in word}
        assert declared == {word.split("$")[1].split(")")[0].strip(":,") for word in used}, name
        assert query.title
        assert query.example.startswith(f"tsea query run {name}")


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_every_example_runs(labelled_store: Store, name: str) -> None:
    command, *arguments = shlex.split(named_queries()[name].example)
    assert command == "tsea"
    answer = tsea(*arguments, "--format", "csv", store=labelled_store.path)
    assert answer.exit_code == 0, answer.output
    lines = answer.stdout.splitlines()
    assert "," in lines[0]
    assert (len(lines) > 1) == (name not in _EMPTY_HERE)


def test_list_and_show() -> None:
    listed = tsea("query", "list")
    assert all(name in listed.output for name in named_queries())
    assert "from specific($a, $b" in tsea("query", "show", "enriched_given").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("query", "run", "enriched_gven"), "no question 'enriched_gven'. Did you mean enriched_given"),
        (("query", "run", "top_features"), "needs set. For example: tsea query run top_features"),
        (("query", "run", "coverage", "-p", "x=1"), "it takes no parameters"),
        (("query", "run", "top_features", "-p", "sets=x"), "no parameter 'sets'; it takes set, per_sae"),
        (("query", "run", "top_features", "-p", "set=x", "-p", "per_sae=few"), "per_sae is of type integer, not 'few'"),
        (("query", "run", "top_features", "-p", "set"), "no KEY=VALUE"),
        (("query", "run", "top_features", "-p", "set=gerund"), "Did you mean gerunds"),
        (("find", "--enriched", "past tense verbs"), "Did you mean past-tense verbs"),
        (("find", "--given", "past-tense verbs"), "add --enriched SET"),
        (("find", "--enriched", "verb_past", "-q", "0"), "q is a false-discovery rate"),
        (("find", "--limit", "0"), "needs to be at least 1"),
        (("find", "--class", "partitions"), "no class called 'partitions' in the store. Did you mean partition"),
        (("find", "--label", "gerund"), "no label called 'gerund' in the store. Did you mean gerunds"),
        (("find", "--sae", "blocks.2.mpl"), "no SAE called 'blocks.2.mpl' in the store. Did you mean blocks.2.mlp"),
        (("find", "--layer", "7"), "no SAE of layer 7 in the store; it has layers 1, 2, 3"),
        (("query", "run", "near_misses", "-p", "sae=blocks.2.mpl"), "Did you mean blocks.2.mlp"),
        (("query", "run", "compare_saes", "-p", "a=x", "-p", "b=blocks.2.mlp"), "no SAE called 'x'"),
        (("query", "run", "features_of_class", "-p", "class=partitions"), "Did you mean partition"),
        (("query", "run", "sets_of_token", "-p", "token=BEGAN"), "has the token 'BEGAN'. There is ' began'"),
        (("query", "run", "features_of_token", "-p", "token=past participle"), "It may be several tokens"),
        (("thresholds", "--q", "2"), "lies between 0 and 1"),
    ],
)
def test_bad_input(labelled_store: Store, arguments: tuple[str, ...], message: str) -> None:
    result = tsea(*arguments, store=labelled_store.path)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output


def test_unlabelled_stores_say_so(tiny_store: Store) -> None:
    for arguments in (("--class", "partition"), ("--label", "gerunds"), ("--confidence", "high")):
        result = tsea("find", *arguments, store=tiny_store.path)
        assert result.exit_code == 2
        assert "no labels yet: run `tsea label`" in result.stderr


def test_from_python(labelled_store: Store) -> None:
    counts = labelled_store.query("coverage").df()
    assert counts["scored"].sum() == 10_240
    assert (
        counts["named"].sum()
        == labelled_store.sql("select count(distinct (sae_id, feature)) from labels where kind <> 'class'").fetchall()[
            0
        ][0]
    )
    assert len(labelled_store.features("blocks.2.mlp").fetchall()) == 1024
    assert set(labelled_store.features(layer=1).df()["sae"]) == {"blocks.1.hook_resid_pre"}
    one = labelled_store.scores("blocks.2.mlp", feature=7)
    lengths = {len(one.df()), len(one.pl()), len(one.to_arrow_table()), len(pa.table(one.arrow()))}
    assert lengths == {len(labelled_store.token_sets())}
    assert len(labelled_store.scores(token_set="gerunds").fetchall()) == 10_240
    sure = labelled_store.labels(confidence="high", kind="set")
    assert set(sure.df()["confidence"]) == {"high"}
    assert labelled_store.labels("blocks.3.hook_resid_post", feature=394).filter("position = 1").df()["sae"].size == 1
    for asked in (labelled_store.features, labelled_store.scores, labelled_store.labels):
        with pytest.raises(QueryError, match="no SAE called 'blocks.2.mpl' in the store. Did you mean blocks.2.mlp"):
            asked("blocks.2.mpl")
    with pytest.raises(QueryError, match="Did you mean gerunds"):
        labelled_store.scores(token_set="gerund")
    with pytest.raises(InputError, match="limit is 0"):
        labelled_store.find(limit=0)


def test_a_token_is_looked_up(labelled_store: Store) -> None:
    sets = labelled_store.query("sets_of_token", token=" began").df()["set_name"].tolist()
    assert "verb_past_strict" in sets
    rows = labelled_store.query("features_of_token", token=" began", limit=10_000).df()
    listed = labelled_store.sql(
        "select count(*) from features where list_contains(top_tokens || bottom_tokens, ' began')"
    ).fetchall()
    assert [(len(rows),)] == listed
    assert len(rows) > 10


def test_a_feature_is_most_like_itself(labelled_store: Store) -> None:
    rows = labelled_store.query("similar_features", sae="blocks.3.hook_resid_post", feature=394, limit=3).df()
    assert rows["feature"][0] == 394
    assert rows["similarity"][0] == pytest.approx(1)
    other = labelled_store.query(
        "similar_features", sae="blocks.3.hook_resid_post", feature=394, among="blocks.3.hook_resid_pre", limit=3
    ).df()
    assert set(other["sae"]) == {"blocks.3.hook_resid_pre"}


def test_search_options_narrow_the_answer(labelled_store: Store) -> None:
    def found(**wanted: object) -> set[tuple[str, int]]:
        rows = labelled_store.find(limit=None, **wanted)
        return set(rows.project("sae, feature").fetchall())

    past = found(enriched=("past-tense verbs",))
    assert past == set(labelled_store.sql("select sae, feature from enriched('verb_past')").fetchall())
    both = found(enriched=("past-tense verbs", "gerunds"))
    assert both == past & found(enriched=("gerunds",)) != set()
    assert found(enriched=("past-tense verbs",), not_enriched=("gerunds",)) == past - both
    layer = found(enriched=("past-tense verbs",), layers=(3,))
    assert layer == {pair for pair in past if pair[0].startswith("blocks.3")}
    assert found(enriched=("past-tense verbs",), saes=("blocks.2.mlp",)) == {p for p in past if p[0] == "blocks.2.mlp"}
    strong = found(enriched=("past-tense verbs",), min_z=5)
    assert strong == set(labelled_store.sql("select sae, feature from enriched('verb_past') where z >= 5").fetchall())
    down = found(suppressed=("past-tense verbs",), min_z=4)
    assert down == set(labelled_store.sql("select sae, feature from suppressed('verb_past') where z <= -4").fetchall())
    assert found(classes=("partition",)) == set(
        labelled_store.sql("select sae, feature from feature_classes where class = 'partition'").fetchall()
    )
    named = found(labels=("gerunds",), confidence="high")
    assert named <= set(
        labelled_store.sql("select sae, feature from feature_labels where label = 'gerunds'").fetchall()
    )
    dense = found(min_density=-2, max_density=-1, min_kurtosis=4)
    assert dense == set(
        labelled_store.sql(
            "select sae, feature from feature_columns where log10_density between -2 and -1 and kurtosis >= 4"
        ).fetchall()
    )
    assert dense
    assert strong
    assert down


def test_explained_sql_is_the_answer(labelled_store: Store) -> None:
    options = ["--enriched", "boys' first names", "--layer", "2", "--min-z", "3", "--limit", "5"]
    explained = tsea("find", *options, "--explain").output
    assert "enriched('boys'' first names', q := 0.05)" in explained
    assert explained.strip() == Search(enriched=("boys' first names",), layers=(2,), min_z=3.0, limit=5).sql
    by_sql = tsea("sql", explained, "--format", "csv", store=labelled_store.path).output
    assert by_sql == tsea("find", *options, "--format", "csv", store=labelled_store.path).output
    assert len(by_sql.splitlines()) == 6
