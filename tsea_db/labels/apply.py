"""Rules applied to a store: what fires, which names stay, what goes into the tables ``labels`` and ``near_misses``.

Everything runs on sets of rows: SQL in temporary tables, and arrays for overlapping sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tsea_db.labels.conditions import Comparisons, late_columns
from tsea_db.labels.references import SetNames
from tsea_db.rules.rule import Kind, Rule, RuleSet
from tsea_db.sql.named import internal_sql
from tsea_db.sql.run import fetch
from tsea_db.statistics.overlap import non_redundant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb
    from numpy.typing import NDArray

    from tsea_db.rules.rule import Condition

_TABLES = """
create or replace temp table firing (
    rule integer, sae_id integer, feature integer, set_id integer, given_id integer, z float, log10_q float,
    given_z float, given_log10_q float, es float, nes float, said varchar default ''
);
create or replace temp table named_rules (rule integer, name varchar, kind varchar, direction varchar, label varchar);
create or replace temp table groups (rule integer, name varchar);
create or replace temp table excluded_sets (rule integer, set_id integer);
create or replace temp table wanted_sets (part integer, set_id integer);
create or replace temp table meeting (
    part integer, sae_id integer, feature integer, set_id integer, z_direction float, log10_q float, es float, nes float
);
create or replace temp view composed as
    select meeting.*
    from meeting
    where
        meeting.part = 0
        and (select count(distinct wanted_sets.part) from wanted_sets where wanted_sets.part > 0) = (
            select count(distinct other.part)
            from meeting as other
            where other.part > 0 and other.sae_id = meeting.sae_id and other.feature = meeting.feature
        )
        and not exists (
            from meeting as excluded
            where excluded.part = -1 and excluded.sae_id = meeting.sae_id and excluded.feature = meeting.feature
        );
create or replace temp table shares (
    sae_id integer, feature integer, set_id integer, way integer, n integer, top_share double, tokens varchar[]
);
"""
"""``meeting``: scores that meet a rule, its first sets as part 0, its other sets as 1, 2, ..., those it excludes as -1.
``composed``: those of part 0 whose feature meets the rule on all other parts too, and on no excluded set."""


@dataclass(frozen=True)
class Clash:
    """Rules that contradict each other.

    Attributes:
        rules: Their names, in order.
        features: On how many features both fired.
        example: One of these, as (SAE, feature).
        kept: Whether both labels stay; of the rules of one group only the first one's does.
    """

    rules: tuple[str, ...]
    features: int
    example: tuple[str, int]
    kept: bool


@dataclass(frozen=True)
class Labelling:
    """What rules make of a store.

    Attributes:
        rules: The rules.
        labels: Rows of the table ``labels``.
        near_misses: Rows of the table ``near_misses``: scored features that no set names.
        n_features: Features in the store.
        n_scored: Those with scores.
        redundant: Set labels left out because a stronger set of the feature explains them.
        clashes: Rules that contradict each other.
        inactive_rules: Rules that cannot fire yet, with the reason.
    """

    rules: RuleSet
    labels: pa.Table
    near_misses: pa.Table
    n_features: int
    n_scored: int
    redundant: int
    clashes: tuple[Clash, ...]
    inactive_rules: tuple[tuple[str, str], ...]

    @property
    def n_named(self) -> int:
        """Scored features that some set names."""
        return self.n_scored - len(self.near_misses)


STEPS_AFTER_RULES = 3
"""Steps of :func:`apply_rules` once every rule has fired."""


def apply_rules(
    connection: duckdb.DuckDBPyConnection, rules: RuleSet, advance: Callable[[], object] = lambda: None
) -> Labelling:
    """Work out the labels of every feature, without storing them.

    Args:
        connection: On a store; it gets temporary tables.
        rules: What to apply.
        advance: Called after each rule and each of the :data:`STEPS_AFTER_RULES`.

    Raises:
        RulesError: The rules name a set that is not there or not scored.
    """
    names = SetNames.of(connection)
    names.check(rules)
    job = _Application(connection, rules, names)
    for position, rule in enumerate(rules.rules):
        job.fire(position, rule)
        advance()
    clashes = job.drop_clashes()
    redundant = job.drop_redundant()
    advance()
    labels = job.labels()
    advance()
    near_misses = job.near_misses()
    advance()
    [(n_features, n_scored)] = connection.execute("select count(*), count(std) from features").fetchall()
    return Labelling(rules, labels, near_misses, n_features, n_scored, redundant, clashes, tuple(job.inactive_rules))


class _Application:
    """One run of a rule set over a store."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: RuleSet, names: SetNames) -> None:
        self._connection = connection
        self._rules = rules
        self._names = names
        self._background = {
            "background_lambda": rules.background.inflation,
            "background_deviation": rules.background.deviation,
        }
        self.inactive_rules: list[tuple[str, str]] = []
        connection.execute(_TABLES).fetchall()
        rows = [(i, r.name, r.kind.value, r.direction.value, r.label) for i, r in enumerate(rules.rules)]
        connection.executemany("insert into named_rules values (?, ?, ?, ?, ?)", rows)
        groups = [(i, rule.group) for i, rule in enumerate(rules.rules) if rule.group]
        excluded = [(i, set_id) for i, rule in enumerate(rules.rules) for set_id in names.ids_of(rule.but_not)]
        for table, pairs in (("groups", groups), ("excluded_sets", excluded)):
            if pairs:
                connection.executemany(f"insert into {table} values (?, ?)", pairs)  # noqa: S608 - a name of ours

    def fire(self, position: int, rule: Rule) -> None:
        """Find what one rule fires on."""
        missing = self._names.missing_annotations(rule)
        if missing:
            self.inactive_rules.append((rule.name, f"no feature has the annotation {', '.join(missing)}"))
            return
        if rule.kind is Kind.CLASS:
            self._fire_class(position, rule)
        elif rule.kind is Kind.SET:
            self._meet(rule, 0, self._names.ids_for(rule))
            self._run("label_sets", {"rule": position}, where=self._others_fired(rule, "meeting"))
            self._drop_low_shares(position, rule)
        elif rule.contrasts and not self._names.contrasted:
            self.inactive_rules.append((rule.name, "the store has no declared contrasts"))
        else:
            self._fire_composite(position, rule)
            self._drop_low_shares(position, rule)

    def _fire_class(self, position: int, rule: Rule) -> None:
        comparisons = Comparisons("feature_columns")
        where = f"{comparisons.all_of(rule.where)} and {self._others_fired(rule, 'feature_columns')}"
        said = [
            f"printf('{condition.column.removeprefix('annotation.').replace('_', ' ')} %.3g', "
            f"{comparisons.source(condition)})"
            for condition in _first_of_each_column(rule.where)
            if isinstance(condition.value, float)
        ]
        values = f"concat_ws(', ', {', '.join(said)})" if said else "''"
        text = internal_sql("label_class").replace("/* values */ ''", values).replace("/* where */ true", where)
        self._connection.execute(text, {"rule": position, **comparisons.values}).fetchall()

    def _fire_composite(self, position: int, rule: Rule) -> None:
        first, *others = [[s] for s in self._names.contrasted] if rule.contrasts else [
            self._names.ids_of((reference,)) for reference in rule.sets
        ]  # fmt: skip
        if rule.contrasts:
            self._meet(rule, 0, list(self._names.contrasted))
        else:
            self._meet(rule, 0, first)
            for part, ids in enumerate(others, 1):
                self._meet(rule, part, ids)
            self._meet(rule, -1, self._names.ids_of(rule.but_not))
        wanted: dict[str, Any] = {"rule": position}
        where = self._others_fired(rule, "meeting")
        if not (rule.contrasts or rule.given):
            self._run("label_sets", wanted, where=where)
            return
        given = Comparisons("meeting", {"given_z": "given.z_a_given_b"} if rule.contrasts else {})
        condition = given.all_of(c for c in rule.where if c.column.startswith("given_"))
        wanted |= {"sign": _sign(rule), **given.values}
        if rule.contrasts:
            self._run("label_contrasts", wanted, where=where, given=condition)
        elif rule.given:
            pair = {"set_a": rule.sets[0].name, "set_b": rule.given.name}
            self._run("label_given", wanted | pair, where=where, given=condition)

    def _meet(self, rule: Rule, part: int, set_ids: Sequence[int]) -> None:
        """Find the features whose scores on some sets meet the conditions of a rule."""
        if part == 0:
            self._connection.execute("delete from meeting; delete from wanted_sets").fetchall()
        if not set_ids:
            return
        self._connection.executemany("insert into wanted_sets values (?, ?)", [(part, s) for s in set_ids])
        comparisons = Comparisons("scored")
        where = comparisons.all_of(c for c in rule.where if c.column not in late_columns())
        bound = {"part": part, "sign": _sign(rule), **self._background, **comparisons.values}
        self._run("label_meeting", bound, where=where)

    def _drop_low_shares(self, position: int, rule: Rule) -> None:
        conditions = [c for c in rule.where if c.column == "top_share"]
        if conditions:
            comparisons = Comparisons("scored")
            where = comparisons.all_of(conditions)
            self._share()
            self._run("label_drop_low_shares", {"rule": position, **comparisons.values}, where=where)

    def _others_fired(self, rule: Rule, row: str) -> str:
        """Return SQL for the rules that must, and must not, have fired on the feature of a row."""
        positions = {other.name: i for i, other in enumerate(self._rules.rules)}
        fired = (
            "exists (from firing where firing.sae_id = {row}.sae_id and firing.feature = {row}.feature and rule = {i})"
        )
        asked = [fired.format(row=row, i=positions[name]) for name in rule.requires]
        asked += ["not " + fired.format(row=row, i=positions[name]) for name in rule.unless]
        return " and ".join(asked) or "true"

    def drop_clashes(self) -> tuple[Clash, ...]:
        """Find rules that contradict each other, and keep the first one's label where they are alternatives."""
        self._connection.execute(f"create or replace temp table clashes as {internal_sql('label_clashes')}").fetchall()
        found = self._connection.execute(
            "select clashes.rules, count(*), min((saes.name, clashes.feature)), bool_and(clashes.about is null) "
            "from clashes join saes on saes.sae_id = clashes.sae_id group by clashes.rules order by clashes.rules"
        ).fetchall()
        self._run("label_drop_clashes", {})
        names = [rule.name for rule in self._rules.rules]
        return tuple(Clash(tuple(names[i] for i in r), n, tuple(example), kept) for r, n, example, kept in found)

    def drop_redundant(self) -> int:
        """Drop a feature's sets that its stronger ones explain; return how many."""
        pairs = _rows(self._connection, internal_sql("label_overlapping"))
        dropped = _redundant(self._connection, pairs, self._rules.redundancy_level)
        self._connection.register("redundant", dropped)
        self._run("label_drop_redundant", {})
        self._connection.unregister("redundant")
        return len(dropped)

    def labels(self) -> pa.Table:
        """Return the labels to store."""
        self._share()
        confidence = self._rules.confidence
        grades = {key: getattr(confidence, key) for key in ("high_log10_q", "high_share", "part_es", "few_share")}
        bound = {**grades, "rule_set_hash": self._rules.content_hash}
        return _rows(self._connection, internal_sql("label_rows"), bound)

    def near_misses(self) -> pa.Table:
        """Return the near misses to store."""
        self._run("label_nearest", {})
        self._share("nearest")
        why, values = self._lacking()
        text = internal_sql("label_near_misses").replace("/* why */ null", why)
        return _rows(self._connection, text, {**self._background, **values})

    def _lacking(self) -> tuple[str, dict[str, Any]]:
        """Return SQL that says which conditions of the first rule about all sets a score does not meet."""
        comparisons = Comparisons("scored")
        said: list[str] = []
        for sign, direction in ((">", "promotes"), ("<", "suppresses")):
            general = [r for r in self._rules.of_kind(Kind.SET) if r.direction == direction and not r.sets]
            for condition in general[0].where if general else ():
                value = comparisons.source(condition)
                shown = (
                    f"printf('%.3g', ({value})::double)"
                    if isinstance(condition.value, float)
                    else f"({value})::varchar"
                )
                said.append(
                    f"if(scored.z_direction {sign} 0 and not coalesce({comparisons.one(condition)}, false), "
                    f"concat('{condition.column} ', coalesce({shown}, 'unknown'), "
                    f"' does not meet {str(condition).replace(chr(39), chr(39) * 2)}'), null)"
                )
        return ", ".join(said) or "null", comparisons.values

    def _share(self, moved: str = "firing") -> None:
        """Find what share of the strongest tokens belongs to the set, for the rows of a table."""
        self._connection.execute(internal_sql("label_shares").replace("/* moved */ firing", moved)).fetchall()

    def _run(self, name: str, bound: dict[str, Any], *, where: str = "true", given: str = "true") -> None:
        text = internal_sql(name).replace("/* where */ true", where).replace("/* given */ true", given)
        self._connection.execute(text, bound).fetchall()


def _sign(rule: Rule) -> int:
    return 1 if rule.direction == "promotes" else -1


def _first_of_each_column(conditions: Sequence[Condition]) -> list[Condition]:
    return list({condition.column: condition for condition in reversed(conditions)}.values())[::-1]


def _rows(connection: duckdb.DuckDBPyConnection, text: str, bound: dict[str, Any] | None = None) -> pa.Table:
    return fetch(connection, text, bound).rows


def _redundant(connection: duckdb.DuckDBPyConnection, pairs: pa.Table, level: float) -> pa.Table:
    """Return the (sae_id, feature, set_id) of ``pairs`` that stronger sets of the same feature explain."""
    keep = np.ones(len(pairs), np.bool_)
    columns = {name: pairs[name].to_numpy() for name in ("sae_id", "feature", "set_id", "cosine", "d_eff", "model_id")}
    processings = np.asarray(pairs["processing"].to_pylist(), dtype=object)
    for sae_id in np.unique(columns["sae_id"]):
        here = np.flatnonzero(columns["sae_id"] == sae_id)
        bound = {"model_id": int(columns["model_id"][here[0]]), "processing": processings[here[0]]}
        overlaps = _rows(connection, internal_sql("label_correlations"), bound)
        ids = np.unique(columns["set_id"][here])
        keep[here] = non_redundant(
            columns["feature"][here],
            np.searchsorted(ids, columns["set_id"][here]),
            columns["cosine"][here],
            _correlations(overlaps, ids),
            int(columns["d_eff"][here[0]]),
            level,
        )
    return pairs.select(["sae_id", "feature", "set_id"]).filter(pa.array(~keep))


def _correlations(overlaps: pa.Table, ids: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the square of null_corr for sets with ascending ids; pairs may be given in one order or in both."""
    square = np.eye(len(ids))
    a, b = overlaps["set_a"].to_numpy(), overlaps["set_b"].to_numpy()
    wanted = np.isin(a, ids) & np.isin(b, ids)
    rows, columns = np.searchsorted(ids, a[wanted]), np.searchsorted(ids, b[wanted])
    square[rows, columns] = square[columns, rows] = overlaps["null_corr"].to_numpy()[wanted]
    np.fill_diagonal(square, 1.0)
    return square
