"""Benchmarks: `python -m tests.bench --help`. Ratios are of one run; absolute figures depend on the machine."""
