"""Labels into the store: worked out, compared with those that are there, replaced in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import delete, insert, select

from tsea_db.errors import InputError
from tsea_db.labels.apply import STEPS_AFTER_RULES, Labelling, apply_rules
from tsea_db.progress import progress_bar
from tsea_db.sql.named import internal_sql
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load
from tsea_db.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from sqlalchemy import Connection

    from tsea_db.rules import RuleSet
    from tsea_db.store.file import StoreFile


@dataclass(frozen=True)
class LabelReport:
    """What labelling did or would do.

    Attributes:
        labelling: The labels and what led to them.
        changes: One row for each label added, removed or changed: change, rule, sae, feature, label,
            confidence_before, confidence_after, sentence.
        classes: Features by the class of their shape under both presets of thresholds.
        stored: Whether the store has these labels now.
    """

    labelling: Labelling
    changes: pa.Table
    classes: pa.Table
    stored: bool


def label(store: StoreFile, rules: RuleSet, *, dry_run: bool = False, progress: bool = True) -> LabelReport:
    """Label every feature of a store by rules.

    Labels of earlier rules are replaced in one transaction. Labelling again with the same rules changes nothing.

    Args:
        store: The store.
        rules: See :func:`tsea_db.rules.read_rules`.
        dry_run: Only work out what would be stored.
        progress: Show a progress bar on standard error, if that is a terminal.

    Raises:
        RulesError: The rules name a token set that is not there or not scored.
        StoreError: It is missing, locked or of another version.
    """
    bar = progress_bar("labels", len(rules.rules) + STEPS_AFTER_RULES, "step", progress=progress)
    if dry_run:
        with bar, store.reader() as reader:
            labelling = apply_rules(reader, rules, bar.update)
            return _report(reader, labelling, stored=False)
    with bar, store.writer() as engine, engine.begin() as connection:
        raw: Any = connection.connection.driver_connection
        labelling = apply_rules(raw, rules, bar.update)
        report = _report(raw, labelling, stored=True)
        if not _unchanged(raw, labelling):
            _replace(connection, labelling)
        return report


def _report(connection: duckdb.DuckDBPyConnection, labelling: Labelling, *, stored: bool) -> LabelReport:
    connection.register("fresh_labels", labelling.labels)
    try:
        changes = connection.sql(internal_sql("label_diff")).to_arrow_table()
        classes = connection.sql(internal_sql("class_presets")).to_arrow_table()
    finally:
        connection.unregister("fresh_labels")
    return LabelReport(labelling, changes, classes, stored)


def _unchanged(connection: duckdb.DuckDBPyConnection, labelling: Labelling) -> bool:
    connection.register("fresh_labels", labelling.labels)
    connection.register("fresh_near_misses", labelling.near_misses)
    try:
        bound = {"rule_set_hash": labelling.rules.content_hash}
        return connection.execute(internal_sql("labels_unchanged"), bound).fetchall() == [(True,)]
    finally:
        connection.unregister("fresh_labels")
        connection.unregister("fresh_near_misses")


def _replace(connection: Connection, labelling: Labelling) -> None:
    for table in (schema.labels, schema.near_misses, schema.rule_sets):
        connection.execute(delete(table))
    bulk_load(connection, schema.labels, labelling.labels)
    bulk_load(connection, schema.near_misses, labelling.near_misses)
    rules = labelling.rules
    connection.execute(
        insert(schema.rule_sets).values(
            content_hash=rules.content_hash,
            title=rules.title,
            preset=rules.preset,
            text=rules.text,
            source=rules.source,
            labelled_at=datetime.now(UTC).replace(tzinfo=None),
            package_version=__version__,
        )
    )


def annotate(store: StoreFile, sae: str, name: str, values: Mapping[int, float], source: str) -> None:
    """Store a number of some features of an SAE, for rules and SQL to use, in place of the numbers it had by that name.

    Raises:
        InputError: There is no such SAE or feature, or a value is not finite.
    """
    with store.writer() as engine, engine.begin() as connection:
        found = connection.execute(
            select(schema.saes.c.sae_id, schema.saes.c.d_sae).where(schema.saes.c.name == sae)
        ).first()
        if found is None:
            msg = f"There is no SAE called {sae!r} in the store."
            raise InputError(msg)
        for feature, value in values.items():
            if not 0 <= feature < found.d_sae or not abs(value) < float("inf"):
                msg = f"{sae} has features 0 to {found.d_sae - 1} and takes finite numbers, not {feature}: {value}."
                raise InputError(msg)
        table = schema.feature_annotations
        connection.execute(delete(table).where(table.c.sae_id == found.sae_id, table.c.name == name))
        rows = {
            "sae_id": pa.array([found.sae_id] * len(values), pa.int32()),
            "feature": pa.array(list(values), pa.int32()),
            "name": [name] * len(values),
            "value": pa.array([float(value) for value in values.values()], pa.float64()),
            "source": [source] * len(values),
        }
        bulk_load(connection, table, pa.table(rows))
