"""Compiled queries: an operation becomes one statement of the store, or a payload rendered without executing."""
