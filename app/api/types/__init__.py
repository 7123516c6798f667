"""The types, queries and mutations of the schema, one file per noun."""

# First of all, whichever file is imported first: enums get their descriptions before a type refers to them.
from app.api.types import enums as enums
