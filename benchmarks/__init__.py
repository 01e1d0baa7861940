"""Measurements of speed, memory and quality; each runs as ``python -m benchmarks.NAME``."""
