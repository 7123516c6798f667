"""Attack: everything that a stranger on the internet may send, at a gateway that works meanwhile.

`python -m tests.attack --help`. `documents` are operations that schemathesis makes of the schema, `requests` and
`frames` are bytes on HTTP and WebSocket lines that Hypothesis thinks up, `floods` are many at once of what is harmless
alone. The `tally` counts what the server made of it; writers of `tests.chaos` share images meanwhile, and lose nothing.
"""
