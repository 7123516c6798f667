"""Soak: mixed load on PostgreSQL with two workers for a while, with restarts in between.

`python -m tests.soak --help`. The machine, its database, the writers and the watchers are those of `tests.chaos`;
`load` adds readers and watches over SSE, `faults` performs and records the restarts, and `verdict` checks latency and
memory.
"""
