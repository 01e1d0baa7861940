"""What a notebook sees: a store and what can be asked of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsea_db.api.labels import StoreLabels
from tsea_db.api.queries import StoreQueries, relation
from tsea_db.api.report import FeatureReport
from tsea_db.errors import InputError
from tsea_db.sql.named import ask, internal_sql
from tsea_db.sql.run import Parameters, fetch
from tsea_db.store.archive import WeightsArchive
from tsea_db.store.file import StoreFile
from tsea_db.suggestions import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pandas as pd
    from numpy.typing import NDArray

    from tsea_db.analysis.calibrate import Calibrated
    from tsea_db.api.base import Mode
    from tsea_db.ingest.user_sets import AddedSets, ModelSets
    from tsea_db.store.saes import IngestedSae

DEFAULT_PATH = "tsea.duckdb"


def open(path: str | Path = DEFAULT_PATH, mode: Mode = "ro") -> Store:  # noqa: A001 - tsea_db.open is the name
    """Open a store.

    The file is held only while something runs, so that other processes get their turn.

    Args:
        path: The store's file.
        mode: "ro" to read, "rw" to ingest and change things too.

    Raises:
        StoreMissingError: There is no store at the path; :func:`create` makes one.
        StoreVersionError: The store is older or newer than this package.
        StoreLockedError: Another process is writing to it.
    """
    if mode not in ("ro", "rw"):
        msg = f'mode is {mode!r}; it can be "ro" or "rw".'
        raise InputError(msg)
    file = StoreFile(Path(path))
    with file.reader():
        pass
    return Store(file, mode)


def create(path: str | Path = DEFAULT_PATH) -> Store:
    """Make a new, empty store and open it for writing.

    Raises:
        StoreError: Something is at that path already.
    """
    file = StoreFile(Path(path))
    file.create()
    return Store(file, "rw")


def upgrade(path: str | Path = DEFAULT_PATH) -> bool:
    """Migrate a store to this package's schema; return whether there was anything to do."""
    return StoreFile(Path(path)).upgrade()


class Store(StoreQueries, StoreLabels):
    """A store of SAE features; made by :func:`tsea_db.open` or :func:`tsea_db.create`."""

    def __repr__(self) -> str:
        return f"tsea_db.open({str(self.path)!r}, mode={self._mode!r})"

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._file.path

    def sql(self, query: str, params: Parameters = None) -> duckdb.DuckDBPyRelation:
        """Run SQL and return its rows as a DuckDB relation (``.df()``, ``.pl()``, ``.to_arrow_table()``).

        The rows are read at once and the file is let go; the relation lives in memory. A store opened with mode "rw"
        also takes statements that write, which return an empty relation.

        Raises:
            QueryError: The SQL does not parse, names something unknown, or writes to a store opened for reading.
        """
        if self._mode == "rw":
            with self._file.writer() as engine, engine.begin() as connection:
                raw: Any = connection.connection.driver_connection
                rows = fetch(raw, query, params).rows
        else:
            with self._file.reader() as reader:
                rows = fetch(reader, query, params).rows
        return relation(rows)

    def ingest(self, model: Any, saes: Sequence[Any], **options: Any) -> list[IngestedSae]:
        """Compute and store moments and enrichment scores; see :func:`tsea_db.ingest.job.ingest` for the options.

        Args:
            model: A Hugging Face directory, ``hub:NAME``, or a TransformerLens model in memory.
            saes: Directories in SAELens' format, ``hub:RELEASE/ID``, or SAELens' objects in memory.
            **options: names, model_name, processing, keep_weights, replace, library, null_plan, device,
                matmul_precision, progress.

        Raises:
            StoreError: The store was opened for reading.
        """
        from tsea_db.ingest.job import ingest

        self._check_writable("ingest")
        return ingest(self._file, model, saes, **options)

    def ingest_pending(self, **options: Any) -> list[IngestedSae]:
        """Score SAEs for new or changed sets; see :func:`tsea_db.ingest.pending.ingest_pending` for the options.

        Raises:
            StoreError: The store was opened for reading.
        """
        from tsea_db.ingest.pending import ingest_pending

        self._check_writable("ingest")
        return ingest_pending(self._file, **options)

    def add_sets(self, path: str | Path, model: str | None = None) -> AddedSets:
        """Enter the token sets of a TOML or GMT file; see :func:`tsea_db.ingest.user_sets.add_sets`.

        Raises:
            StoreError: The store was opened for reading.
        """
        from tsea_db.ingest.user_sets import add_sets

        self._check_writable("add sets")
        return add_sets(self._file, path, model)

    def model_sets(self, model: str | None = None) -> ModelSets:
        """Return a model's vocabulary and token sets as objects; see :func:`tsea_db.ingest.user_sets.model_sets`."""
        from tsea_db.ingest.user_sets import model_sets

        return model_sets(self._file, model)

    def status(self) -> pd.DataFrame:
        """One row for each SAE: model, hook point, processing, features, dead and zero directions, sets, scores."""
        return self._ask("status")

    def pending(self) -> int:
        """Count pairs of SAE and token set without scores, or with scores of members the set no longer has."""
        [row] = self._ask("pending").itertuples()
        return int(row.missing) + int(row.stale)

    def label_status(self) -> pd.DataFrame:
        """One row if there are labels: what they come from, how many there are, whether they are up to date.

        Returns:
            title, source and preset of the rules, labelled_at (UTC), named (features that a set names), scored
            (features) and outdated (whether something was ingested since).
        """
        return self._ask("label_status")

    def token_sets(self, model: str | None = None, family: str | None = None) -> pd.DataFrame:
        """One row for each scored token set: model, name, family, phrase, size, definition, source, version."""
        return self._ask("token_sets", model=model, family=family)

    def unscored_sets(self, model: str | None = None, family: str | None = None) -> pd.DataFrame:
        """One row for each token set left out of scoring: model, name, family, size, reason."""
        return self._ask("unscored_sets", model=model, family=family)

    def members(self, token_set: str, model: str | None = None) -> pd.DataFrame:
        """Members of a token set: model, token_id, text.

        Raises:
            InputError: There is no such set; the nearest names are suggested.
        """
        rows = self._ask("members", name=token_set, model=model)
        if rows.empty:
            raise InputError(unknown("token set", token_set, list(self.token_sets(model)["name"])))
        return rows

    def feature(self, sae: str, feature: int) -> FeatureReport:
        """Everything stored about one feature.

        Raises:
            InputError: There is no such SAE, or no such feature in it.
        """
        with self._file.reader() as reader:
            found = ask(reader, "feature", sae=sae, feature=feature)
            if not found:
                self._explain_no_feature(reader, sae, feature)
            asked = {"sae": sae, "feature": feature}
            scores = reader.execute(internal_sql("feature_scores"), asked).df()
            labels = reader.execute(
                internal_sql("labels"), {**asked, "kind": None, "label": None, "confidence": None}
            ).df()
            near_misses = ask(reader, "feature_near_miss", **asked)
        return FeatureReport(found[0], scores, labels, near_misses[0] if near_misses else None)

    def given(self, sae: str, feature: int, token_set: str) -> pd.DataFrame:
        """Score every set given one set, for one feature: what is promoted beyond what that one implies.

        Returns:
            name, phrase, size, z_direction, null_corr (with the set given), z_given, log10_p_given; the highest z_given
            first. Sets without z are left out; z_given is NaN where a set has the same direction as the one given.

        Raises:
            InputError: There is no such SAE, feature or set, or the set has no z.
        """
        from tsea_db.analysis.conditional import all_sets

        scores = self.feature(sae, feature).scores.set_index("name")["z_direction"]
        self._known_sets(sae, token_set)
        if scores.empty or math.isnan(scores[token_set]):
            msg = f"Feature {feature} of {sae} has no z for {token_set}, so nothing can be scored given it."
            raise InputError(msg)
        with self._file.reader() as reader:
            rows = ask(reader, "feature_given", sae=sae, feature=feature, given=token_set)
        return all_sets(rows, float(scores[token_set]))

    def conditional(self, sae: str, a: str, b: str) -> pd.DataFrame:
        """Score set ``a`` given set ``b`` for all features of an SAE.

        Returns:
            feature, z_a, z_b, z_a_given_b, log10_p and log10_q (over the features), in order of feature.

        Raises:
            InputError: There is no such SAE or set, or the sets are the same.
        """
        from tsea_db.analysis.conditional import all_features

        self._known_sets(sae, a, b)
        if a == b:
            msg = f"{a} given itself has no score: name two different sets."
            raise InputError(msg)
        with self._file.reader() as reader:
            return all_features(ask(reader, "two_sets", sae=sae, a=a, b=b))

    def joint(self, sae: str, feature: int) -> pd.DataFrame:
        """Fit all sets at once to one feature's logit weights, which takes the weights kept beside the store.

        Returns:
            name, phrase, size and coefficient: what membership adds to a token's logit weight, the other sets held
            fixed; the largest first.

        Raises:
            InputError: There is no such SAE or feature, or its weights were not kept.
        """
        from tsea_db.analysis.conditional import joint

        direction, unembedding = self._weights_of(sae, feature)
        with self._file.reader() as reader:
            return joint(ask(reader, "memberships", sae=sae), direction, unembedding)

    def overlaps(self, token_set: str, model: str | None = None) -> pd.DataFrame:
        """Overlap of one set with every other.

        Returns:
            model, processing, name, size, intersection, jaccard, overlap_coefficient and null_corr (cosine of the two
            sets' directions); the nearest in direction first.

        Raises:
            InputError: There is no such set.
        """
        self.members(token_set, model)
        return self._ask("set_overlaps", name=token_set, model=model)

    def sets_without_z(self) -> pd.DataFrame:
        """One row for each scored set without z, p and q, or without p of its ES: model, processing, name, reason."""
        return self._ask("sets_without_z")

    def enriched_but_not(
        self,
        enriched: str,
        but_not: str,
        *,
        evidence: str | None = None,
        at_least: float = 0.6,
        below: float = 0.35,
    ) -> pd.DataFrame:
        """Features with ES >= ``at_least`` on one set and ES < ``below`` on another.

        Returns:
            sae, feature, es_enriched, es_but_not, evidence_in_top_20 (how many of the twenty strongest tokens are in
            the set ``evidence``, by default ``enriched``) and top_tokens; those with most evidence first.

        Raises:
            InputError: There is no such set.
        """
        names = {"enriched": enriched, "but_not": but_not, "evidence": evidence or enriched}
        for name in names.values():
            self.members(name)
        return self._ask("enriched_but_not", **names, at_least=at_least, below=below)

    def logit_weights(self, sae: str, feature: int) -> NDArray[np.float32]:
        """Logit weights of one feature, float32 (d_vocab,), from the weights kept beside the store.

        Raises:
            InputError: There is no such SAE or feature, or its weights were not kept.
            WeightsError: The kept files are missing or damaged.
        """
        direction, unembedding = self._weights_of(sae, feature)
        product: NDArray[np.float32] = direction @ unembedding
        return np.asarray(product)

    def calibrate(self, model: str | None = None, processing: str | None = None, **options: Any) -> Calibrated:
        """Test fresh random directions, a null SAE and a rotated SAE; see :func:`tsea_db.analysis.calibrate.calibrate`.

        Args:
            model: Name of a model of the store; may be left out if there is one.
            processing: Processing of its unembedding; may be left out if there is one.
            **options: draws, seed, levels, sae, features, progress.

        Raises:
            InputError: There is no such model, the weights were not kept, or the draws are too few for a level.
        """
        from tsea_db.analysis.calibrate import calibrate

        return calibrate(self._file, model, processing, **options)

    def _weights_of(self, sae: str, feature: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return one feature's direction (d_model,) and the unembedding (d_model, d_vocab), both kept."""
        with self._file.reader() as reader:
            found = ask(reader, "kept_weights", sae=sae)
            if not found or not 0 <= feature < found[0]["d_sae"]:
                self._explain_no_feature(reader, sae, feature)
        kept = found[0]
        if not (kept["directions_kept"] and kept["unembedding_kept"]):
            msg = f"The weights of {sae} were not kept. Ingest {kept['source']} again without --no-keep-weights."
            raise InputError(msg)
        archive = WeightsArchive.beside(self.path)
        return archive.open(kept["directions_hash"])[feature], archive.open(kept["unembedding_hash"])

    def _known_sets(self, sae: str, *token_sets: str) -> None:
        """Refuse names of SAEs and sets that the store does not have."""
        with self._file.reader() as reader:
            names = [name for (name,) in reader.execute("select name from saes order by sae_id").fetchall()]
            if sae not in names:
                raise InputError(unknown("SAE", sae, names))
            known = [row["name"] for row in ask(reader, "memberships", sae=sae)]
        for name in token_sets:
            if name not in known:
                raise InputError(unknown("token set", name, known))

    def _ask(self, asked: str, /, **parameters: Any) -> pd.DataFrame:
        with self._file.reader() as reader:
            return reader.execute(internal_sql(asked), parameters).df()

    def _explain_no_feature(self, reader: duckdb.DuckDBPyConnection, sae: str, feature: int) -> None:
        sizes = dict(reader.execute("select name, d_sae from saes order by sae_id").fetchall())
        if sae not in sizes:
            raise InputError(unknown("SAE", sae, list(sizes)))
        msg = f"{sae} has features 0 to {sizes[sae] - 1}; there is no feature {feature}."
        raise InputError(msg)
