"""The DuckDB file: its tables, and models, SAEs, token sets and nulls as rows."""
