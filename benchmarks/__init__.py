"""Measurements that documentation quotes; each module runs with ``python -m benchmarks.<name>``."""
