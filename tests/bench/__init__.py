"""Benchmarks: `python -m tests.bench --help`. Ratios compare figures of one run; absolute ones vary by machine."""
