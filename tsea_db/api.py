"""What a notebook sees: a store and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import numpy as np

from tsea_db.asking import Asking, relation
from tsea_db.errors import InputError, StoreError
from tsea_db.nearest import unknown
from tsea_db.questions import ask, question
from tsea_db.sql import Parameters, fetch
from tsea_db.store import StoreFile
from tsea_db.weights.archive import WeightsArchive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from tsea_db.label_store import LabelReport
    from tsea_db.stored_saes import IngestedSae

DEFAULT_PATH = "tsea.duckdb"
Mode = Literal["ro", "rw"]


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


@dataclass(frozen=True)
class FeatureReport:
    """What the store knows of one feature.

    Attributes:
        columns: Its row of ``features``, with ``model``, ``sae``, ``hook_point`` and ``processing``.
        scores: name, family, phrase, size, es, peak_rank and leading_edge of every set, the most promoted first.
    """

    columns: dict[str, Any]
    scores: pd.DataFrame


class Store(Asking):
    """A store of SAE features; made by :func:`tsea_db.open` or :func:`tsea_db.create`."""

    def __init__(self, file: StoreFile, mode: Mode) -> None:
        self._file = file
        self._mode = mode

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
                rows = fetch(raw, query, params)
        else:
            with self._file.reader() as reader:
                rows = fetch(reader, query, params)
        return relation(rows)

    def ingest(self, model: Any, saes: Sequence[Any], **options: Any) -> list[IngestedSae]:
        """Compute and store moments and enrichment scores; see :func:`tsea_db.ingest.ingest` for the options.

        Args:
            model: A Hugging Face directory, ``hub:NAME``, or a TransformerLens model in memory.
            saes: Directories in SAELens' format, ``hub:RELEASE/ID``, or SAELens' objects in memory.
            **options: names, model_name, processing, keep_weights, replace, progress.

        Raises:
            StoreError: The store was opened for reading.
        """
        from tsea_db.ingest import ingest

        self._refuse_reading_mode("ingest")
        return ingest(self._file, model, saes, **options)

    def label(self, rules: str | Path | None = None, *, preset: str | None = None, dry_run: bool = False) -> LabelReport:
        """Label every feature by rules and store the labels in place of earlier ones.

        Args:
            rules: A rules file; by default the rules that ship with the package.
            preset: Thresholds for classes, instead of those the rules choose: "random-directions" or "published".
            dry_run: Only work out what would be stored.

        Raises:
            RulesError: The rules are wrong, or name a token set that is not there or not scored.
            StoreError: The store was opened for reading, and this is no dry run.
        """
        from tsea_db.label_store import label
        from tsea_db.labels import default_rules, read_rules

        if not dry_run:
            self._refuse_reading_mode("label")
        read = default_rules(preset) if rules is None else read_rules(Path(rules), preset)
        return label(self._file, read, dry_run=dry_run)

    def annotate(self, sae: str, name: str, values: Mapping[int, float], source: str = "") -> None:
        """Store a number of some features of an SAE, for rules (``annotation = { NAME = ... }``) and SQL to use.

        Args:
            sae: Name of the SAE.
            name: What the number is called; numbers it had by that name are replaced.
            values: From feature to number.
            source: Where the numbers come from.

        Raises:
            InputError: There is no such SAE or feature, or a value is not finite.
            StoreError: The store was opened for reading.
        """
        from tsea_db.label_store import annotate

        self._refuse_reading_mode("annotate")
        annotate(self._file, sae, name, values, source)

    def status(self) -> pd.DataFrame:
        """One row for each SAE: model, hook point, processing, features, dead and zero directions, sets, scores."""
        return self._ask("status")

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
            scores = ask(reader, "feature_scores", sae=sae, feature=feature)
        import pandas as pd

        columns = ["name", "family", "phrase", "size", "es", "peak_rank", "leading_edge"]
        return FeatureReport(found[0], pd.DataFrame(scores, columns=columns))

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
        with self._file.reader() as reader:
            found = ask(reader, "kept_weights", sae=sae)
            if not found or not 0 <= feature < found[0]["d_sae"]:
                self._explain_no_feature(reader, sae, feature)
        kept = found[0]
        if not (kept["directions_kept"] and kept["unembedding_kept"]):
            msg = f"The weights of {sae} were not kept. Ingest {kept['source']} again without --no-keep-weights."
            raise InputError(msg)
        archive = WeightsArchive.beside(self.path)
        unembedding = archive.open(kept["unembedding_hash"])
        product: NDArray[np.float32] = archive.open(kept["directions_hash"])[feature] @ unembedding
        return np.asarray(product)

    def _ask(self, asked: str, /, **parameters: Any) -> pd.DataFrame:
        with self._file.reader() as reader:
            return reader.execute(question(asked), parameters).df()

    def _refuse_reading_mode(self, what: str) -> None:
        if self._mode != "rw":
            msg = f'The store is open for reading; to {what}, open it with tsea_db.open(path, mode="rw").'
            raise StoreError(msg)

    def _explain_no_feature(self, reader: duckdb.DuckDBPyConnection, sae: str, feature: int) -> None:
        sizes = dict(reader.execute("select name, d_sae from saes order by sae_id").fetchall())
        if sae not in sizes:
            raise InputError(unknown("SAE", sae, list(sizes)))
        msg = f"{sae} has features 0 to {sizes[sae] - 1}; there is no feature {feature}."
        raise InputError(msg)

