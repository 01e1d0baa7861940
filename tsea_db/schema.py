"""The tables of a store, as SQLAlchemy metadata.

No foreign keys (rebuilding a table that has one damages its parent in DuckDB) and no index on the large tables: they
are loaded sorted, and DuckDB's zone maps do the rest. The migrations in ``migrations/`` make the same tables; a test
holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

REVISION = "0001"
"""The schema revision that this package reads and writes: the newest in ``migrations/versions``."""

metadata = MetaData()


def _key(name: str) -> Column[int]:
    """Return a primary-key column whose values the ingest gives out (DuckDB has no SERIAL)."""
    return Column(name, Integer, primary_key=True, autoincrement=False)


models = Table(
    "models",
    metadata,
    _key("model_id"),
    Column("name", String, nullable=False),
    Column("source", String, nullable=False),
    Column("weights_hash", String, nullable=False),
    Column("vocabulary_hash", String, nullable=False),
    Column("d_model", Integer, nullable=False),
    Column("d_vocab", Integer, nullable=False),
    Column("n_layers", Integer, nullable=False),
    Column("normalization", String, nullable=False),
    Column("soft_cap", Double),
)

unembeddings = Table(
    "unembeddings",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("processing", String, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("kept", Boolean, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("token_id", Integer, nullable=False),
    Column("text", String, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("special", Boolean, nullable=False),
    Column("starts_word", Boolean, nullable=False),
)

token_sets = Table(
    "token_sets",
    metadata,
    _key("set_id"),
    Column("model_id", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("family", String, nullable=False),
    Column("phrase", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("definition", String, nullable=False),
    Column("source", String, nullable=False),
    Column("version", Integer, nullable=False),
)

unscored_sets = Table(
    "unscored_sets",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("family", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("reason", String, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("set_id", Integer, nullable=False),
    Column("token_id", Integer, nullable=False),
)

saes = Table(
    "saes",
    metadata,
    _key("sae_id"),
    Column("model_id", Integer, nullable=False),
    Column("processing", String, nullable=False),
    Column("name", String, nullable=False),
    Column("hook_point", String, nullable=False),
    Column("layer", Integer, nullable=False),
    Column("d_sae", Integer, nullable=False),
    Column("architecture", String, nullable=False),
    Column("weights_hash", String, nullable=False),
    Column("source", String, nullable=False),
    Column("directions_hash", String, nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("package_version", String, nullable=False),
)

features = Table(
    "features",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("mean", Double),
    Column("std", Double),
    Column("skewness", Double),
    Column("kurtosis", Double),
    Column("cosine_variance", Double),
    Column("decoder_norm", Double, nullable=False),
    Column("log10_density", Float),
    Column("dead", Boolean),
    Column("zero_direction", Boolean, nullable=False),
    Column("top_tokens", ARRAY(String)),
    Column("top_token_ids", ARRAY(Integer)),
    Column("top_logits", ARRAY(Float)),
    Column("bottom_tokens", ARRAY(String)),
    Column("bottom_token_ids", ARRAY(Integer)),
    Column("bottom_logits", ARRAY(Float)),
)

sae_sets = Table(
    "sae_sets",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("n_scored", Integer, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("es", Float, nullable=False),
    Column("peak_rank", Integer, nullable=False),
)

ingest_runs = Table(
    "ingest_runs",
    metadata,
    _key("run_id"),
    Column("sae_id", Integer, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime, nullable=False),
    Column("n_features", Integer, nullable=False),
    Column("n_sets", Integer, nullable=False),
    Column("n_scores", BigInteger, nullable=False),
    Column("package_version", String, nullable=False),
)
