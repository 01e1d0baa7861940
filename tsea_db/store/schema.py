"""The tables of a store, as SQLAlchemy metadata.

No foreign keys (rebuilding a table that has one damages its parent in DuckDB) and no index on the large tables: they
are loaded sorted, and DuckDB's zone maps do the rest. The migrations in ``migrations/`` make the same tables and views;
a test holds the two together.

Library sets have ids from 0 up, side sets (random controls, and what is left of two sets of a contrast) from -1 down,
so that one table holds the nulls of both.
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

REVISION = "0004"
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
    Column("tags", ARRAY(String), nullable=False),
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
    Column("null_median", Double),
    Column("null_mad", Double),
    Column("lambda", Double, quote=True),
    Column("cosine_sd", Double),
    Column("reason", String),
)

scores = Table(
    "scores",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("es", Float, nullable=False),
    Column("peak_rank", Integer, nullable=False),
    Column("z_direction", Float),
    Column("log10_p", Float),
    Column("log10_q", Float),
    Column("log10_p_es", Float),
    Column("log10_p_token", Float),
)

side_sets = Table(
    "side_sets",
    metadata,
    _key("set_id"),
    Column("model_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("seed", Integer),
    Column("token_ids", ARRAY(Integer), nullable=False),
)

set_nulls = Table(
    "set_nulls",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("processing", String, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("n_draws", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("d_eff", Integer, nullable=False),
    Column("mean_abs_es", Double),
    Column("quantiles", ARRAY(Double)),
    Column("mu", Double),
    Column("sigma", Double),
    Column("fit_error", Double),
    Column("threshold", Double),
    Column("decodability", Double),
    Column("chance_decodability", Double),
    Column("reason", String),
    Column("es_reason", String),
)

moment_nulls = Table(
    "moment_nulls",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("processing", String, nullable=False),
    Column("n_draws", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("d_eff", Integer, nullable=False),
    Column("shares", ARRAY(Double), nullable=False),
    Column("kurtosis", ARRAY(Double), nullable=False),
    Column("skewness", ARRAY(Double), nullable=False),
    Column("cos_var_ratio", ARRAY(Double), nullable=False),
)

set_overlaps = Table(
    "set_overlaps",
    metadata,
    Column("model_id", Integer, nullable=False),
    Column("processing", String, nullable=False),
    Column("set_a", Integer, nullable=False),
    Column("set_b", Integer, nullable=False),
    Column("intersection", Integer, nullable=False),
    Column("jaccard", Double, nullable=False),
    Column("overlap_coefficient", Double, nullable=False),
    Column("null_corr", Double),
)

contrasts = Table(
    "contrasts",
    metadata,
    _key("contrast_id"),
    Column("model_id", Integer, nullable=False),
    Column("set_a", Integer, nullable=False),
    Column("set_b", Integer, nullable=False),
    Column("only_a", Integer),
    Column("a_and_b", Integer),
)

sae_contrasts = Table(
    "sae_contrasts",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("contrast_id", Integer, nullable=False),
    Column("n_scored", Integer, nullable=False),
    Column("reason", String),
)

contrast_scores = Table(
    "contrast_scores",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("contrast_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("z_a_given_b", Float, nullable=False),
    Column("log10_p", Float, nullable=False),
    Column("log10_q", Float, nullable=False),
)

partition_scores = Table(
    "partition_scores",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("es", Float, nullable=False),
    Column("peak_rank", Integer, nullable=False),
    Column("z_direction", Float),
    Column("log10_p", Float),
    Column("log10_q", Float),
    Column("log10_p_es", Float),
    Column("log10_p_token", Float),
)

control_scores = Table(
    "control_scores",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("n_scored", Integer, nullable=False),
    Column("share_p_direction", Double),
    Column("share_p_es", Double),
    Column("share_p_token", Double),
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
    Column("product", String),  # fused, blas or torch: see Device.product_name
)

rule_sets = Table(
    "rule_sets",
    metadata,
    Column("content_hash", String, nullable=False),
    Column("title", String, nullable=False),
    Column("preset", String, nullable=False),
    Column("text", String, nullable=False),
    Column("source", String, nullable=False),
    Column("labelled_at", DateTime, nullable=False),
    Column("package_version", String, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("rule", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("label", String, nullable=False),
    Column("direction", String),
    Column("confidence", String),
    Column("set_id", Integer),
    Column("given_id", Integer),
    Column("z", Float),
    Column("log10_q", Float),
    Column("given_z", Float),
    Column("given_log10_q", Float),
    Column("es", Float),
    Column("nes", Float),
    Column("top_share", Float),
    Column("evidence_tokens", ARRAY(String)),
    Column("sentence", String, nullable=False),
    Column("rule_set_hash", String, nullable=False),
)

near_misses = Table(
    "near_misses",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("direction", String, nullable=False),
    Column("z", Float, nullable=False),
    Column("log10_q", Float, nullable=False),
    Column("es", Float, nullable=False),
    Column("nes", Float),
    Column("why", String, nullable=False),
)

feature_annotations = Table(
    "annotations",
    metadata,
    Column("sae_id", Integer, nullable=False),
    Column("feature", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("value", Double, nullable=False),
    Column("source", String, nullable=False),
)
