"""Compiled queries: each becomes one SQL statement, or a payload that is rendered without graphql-core."""
