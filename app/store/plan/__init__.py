"""Compiled queries as one SQL statement that writes the response's JSON."""
