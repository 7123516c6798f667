"""Everything that touches the internals of uvicorn, which is pinned to its minor version for this."""
