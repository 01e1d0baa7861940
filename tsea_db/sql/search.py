"""A search for features, as the SQL that answers it: text that anybody can read, change and run."""

from __future__ import annotations

from dataclasses import dataclass

from tsea_db.errors import InputError
from tsea_db.sql.run import literal


@dataclass(frozen=True)
class Search:
    """What features should be like; all of it must hold.

    Attributes:
        enriched: Sets that they promote, by name or phrase.
        suppressed: Sets that they suppress.
        not_enriched: Sets that they do not promote.
        given: Set that ``enriched`` is tested given: what they promote beyond promoting this one.
        classes: Classes that they are in.
        labels: Labels that they have.
        saes: Their SAE, one of these.
        layers: Their layer, one of these.
        confidence: Some label of theirs has this confidence.
        min_z: z of every set of ``enriched``, and -z of every set of ``suppressed``, is at least this.
        min_density: log10 density at least this.
        max_density: log10 density at most this.
        min_kurtosis: Kurtosis at least this.
        q: False-discovery rate of the sets.
        limit: Rows at most; None for all.
    """

    enriched: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    not_enriched: tuple[str, ...] = ()
    given: str | None = None
    classes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    saes: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    confidence: str | None = None
    min_z: float | None = None
    min_density: float | None = None
    max_density: float | None = None
    min_kurtosis: float | None = None
    q: float = 0.05
    limit: int | None = 50

    def __post_init__(self) -> None:
        if self.given is not None and not self.enriched:
            msg = "--given says what --enriched is tested given: add --enriched SET."
            raise InputError(msg)
        if not 0 < self.q <= 1:
            msg = f"q is a false-discovery rate above 0 and at most 1, not {self.q:g}."
            raise InputError(msg)
        if self.limit is not None and self.limit < 1:
            msg = f"limit is {self.limit}; it needs to be at least 1."
            raise InputError(msg)

    @property
    def sql(self) -> str:
        """The query."""
        promoted = [self._promoted(name) for name in self.enriched]
        suppressed = [self._filtered(f"suppressed({literal(name)}, q := {self.q:g})", "-z") for name in self.suppressed]
        excluded = [f"enriched({literal(name)}, q := {self.q:g})" for name in self.not_enriched]
        asked = promoted + suppressed
        first = asked[0] if asked else "feature_columns"
        shown = "found.z, found.log10_q, found.es, " if asked else "found.kurtosis, found.skewness, "
        tokens = "bottom_tokens" if suppressed and not promoted else "top_tokens"
        lines = [f"select found.sae, found.feature, {shown}features.{tokens}[:6] as {tokens}", f"from {first} as found"]
        lines += [f"semi join {source} using (sae, feature)" for source in asked[1:]]
        lines += [f"anti join {source} using (sae, feature)" for source in excluded]
        lines.append("join saes on saes.name = found.sae")
        lines.append("join features on features.sae_id = saes.sae_id and features.feature = found.feature")
        conditions = self._conditions()
        if conditions:
            lines.append("where " + "\n  and ".join(conditions))
        strongest = "abs(found.z) desc" if asked else "found.kurtosis desc nulls last"
        lines.append(f"order by {strongest}, found.sae, found.feature")
        if self.limit is not None:
            lines.append(f"limit {self.limit}")
        return "\n".join(lines)

    def _promoted(self, name: str) -> str:
        if self.given is None:
            return self._filtered(f"enriched({literal(name)}, q := {self.q:g})", "z")
        return self._filtered(f"specific({literal(name)}, {literal(self.given)}, q := {self.q:g})", "z")

    def _filtered(self, source: str, z: str) -> str:
        return source if self.min_z is None else f"(from {source} where {z} >= {self.min_z:g})"

    def _conditions(self) -> list[str]:
        conditions = []
        if self.saes:
            conditions.append(f"found.sae in ({', '.join(literal(sae) for sae in self.saes)})")
        if self.layers:
            conditions.append(f"saes.layer in ({', '.join(str(layer) for layer in self.layers)})")
        has = "exists (from {table} as l where l.sae_id = features.sae_id and l.feature = features.feature and {what})"
        asked = (
            ("feature_classes", "class", self.classes),
            ("feature_labels", "label", self.labels),
            ("feature_labels", "confidence", (self.confidence,) if self.confidence else ()),
        )
        conditions += [
            has.format(table=table, what=f"l.{column} = {literal(value)}")
            for table, column, values in asked
            for value in values
        ]
        bounds = (
            ("log10_density >=", self.min_density),
            ("log10_density <=", self.max_density),
            ("kurtosis >=", self.min_kurtosis),
        )
        return conditions + [f"features.{bound} {value:g}" for bound, value in bounds if value is not None]
