"""Shared test infrastructure: databases, gateways in this process, and server processes."""
