"""Attack: hostile traffic against a gateway that is serving normal load.

`python -m tests.attack --help`. `documents` sends operations that schemathesis generates from the schema, `requests`
and `frames` send bytes that Hypothesis generates for HTTP and WebSocket connections, and `floods` sends harmless
traffic in bulk. `tally` checks and counts the responses. Meanwhile, writers from `tests.chaos` share images, and must
lose nothing.
"""
