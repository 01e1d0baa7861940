"""Measurements behind the documentation's figures; each module runs as ``python -m benchmarks.NAME``."""
