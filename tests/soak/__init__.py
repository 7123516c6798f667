"""Soak: mixed load on PostgreSQL with two workers for a while, with restarts in between.

`python -m tests.soak --help`. The machine, its database, the writers and the watchers are those of `tests.chaos`;
`load` adds readers and watches over SSE, `faults` the restarts and when they were, `verdict` the pace and the memory.
"""
