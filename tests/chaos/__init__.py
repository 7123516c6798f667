"""Chaos: a gateway under faults, and a checker that reports whether a watch lost anything.

`python -m tests.chaos --help`. Requests of writers and watchers pass through `proxy` to one of the `machines`, which
also reach their database through a proxy. `faults` disturbs all of them. `writers` and `watchers` record what they sent
and received, and `verdict` checks it against the log.
"""
