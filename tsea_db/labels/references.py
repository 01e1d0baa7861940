"""What rules refer to in a store: token sets by name or phrase, declared contrasts, annotations."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tsea_db.errors import RulesError
from tsea_db.sql.named import internal_sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from tsea_db.rules.rule import Rule, RuleSet, SetReference


@dataclass(frozen=True)
class KnownSet:
    """A token set of the store. ``scored``: some SAE was scored for it."""

    set_id: int
    name: str
    phrase: str
    family: str
    scored: bool


@dataclass(frozen=True)
class SetNames:
    """Everything in a store that a rule can name.

    Attributes:
        sets: Token sets, one for each model they are in.
        unscored: Names of the sets that are too small or large, with the reason.
        contrasted: Ids of the sets that are the first of a declared contrast.
        annotations: Names of the stored annotations.
    """

    sets: tuple[KnownSet, ...]
    unscored: dict[str, str]
    contrasted: tuple[int, ...]
    annotations: frozenset[str]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> SetNames:
        """Read the names from a store."""
        return cls(
            sets=tuple(KnownSet(*row) for row in connection.execute(internal_sql("known_sets")).fetchall()),
            unscored=dict(connection.execute("select name, reason from unscored_sets").fetchall()),
            contrasted=tuple(
                i for (i,) in connection.execute("select distinct set_a from contrasts order by 1").fetchall()
            ),
            annotations=frozenset(n for (n,) in connection.execute("select distinct name from annotations").fetchall()),
        )

    def check(self, rules: RuleSet) -> None:
        """Check that every set and family that the rules name is there and scored.

        Raises:
            RulesError: One is not; the message has the line and the nearest names.
        """
        for rule in rules.rules:
            for reference in rule.references:
                found = self._called(reference.name)
                if not found:
                    raise RulesError(f"{rules.source}, line {reference.line}: {self._unknown(reference.name)}")
                if not any(known.scored for known in found):
                    msg = (
                        f"{rules.source}, line {reference.line}: the token set {reference.name!r} is not scored yet. "
                        "Run `tsea ingest` again; it scores what is missing."
                    )
                    raise RulesError(msg)
            families = {known.family for known in self.sets}
            for family in rule.families:
                if self.sets and family not in families:
                    msg = f"{rules.source}, line {rule.line}: there is no family {family!r}.{_near(family, families)}"
                    raise RulesError(msg)

    def ids_of(self, references: Iterable[SetReference]) -> list[int]:
        """Return the ids of named sets, in every model."""
        return [known.set_id for reference in references for known in self._called(reference.name)]

    def ids_for(self, rule: Rule) -> list[int]:
        """Return the ids of the sets that a set rule is about."""
        excepted = set(self.ids_of(rule.except_sets))
        named = set(self.ids_of(rule.sets)) if rule.sets else {known.set_id for known in self.sets}
        families = set(rule.families)
        return [
            known.set_id
            for known in self.sets
            if known.set_id in named - excepted and (not families or known.family in families)
        ]

    def missing_annotations(self, rule: Rule) -> list[str]:
        """Return the annotations a rule asks about that no feature has."""
        asked = {condition.annotation for condition in rule.where if condition.annotation}
        return sorted(asked - self.annotations)

    def _called(self, name: str) -> list[KnownSet]:
        return [known for known in self.sets if name in (known.name, known.phrase)]

    def _unknown(self, name: str) -> str:
        if name in self.unscored:
            return f"the token set {name!r} cannot be scored: {self.unscored[name]}"
        known = [text for each in self.sets for text in (each.name, each.phrase)]
        return f"there is no token set {name!r} in the store.{_near(name, known)}"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.4)
    return f" Did you mean {', '.join(near)}?" if near else ""
