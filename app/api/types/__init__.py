"""The types, queries and mutations of the schema, one file per noun."""

# Imported first, because enums need their descriptions before a type refers to them.
from app.api.types import enums as enums
