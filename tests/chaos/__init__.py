"""Chaos: a gateway under faults, and a checker that says afterwards whether a watch lost anything.

`python -m tests.chaos --help`. A request of a writer or a watcher goes through `proxy` to one of the `machines`, which
reach their database through a proxy too; `faults` do to all of them what happens in the field; `writers` and `watchers`
note what they did and heard, and `verdict` holds it against the log.
"""
