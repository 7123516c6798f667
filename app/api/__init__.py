"""The GraphQL words."""

# First of all, whichever part is asked for first: a word of the model gets its description before a type names it.
from app.api import enums as enums
