"""Parses, validates, measures, prices and caches GraphQL documents, and finds them by their hash."""
