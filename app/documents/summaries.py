"""Summaries of operations for logs, metrics and traces: kind, document hash, name and static cost."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from graphql import GraphQLError, OperationDefinitionNode

from app.documents.cached_function import CachedFunction
from app.documents.documents import Documents
from app.documents.introspection import TooLarge
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned

UNKNOWN = "unknown"
LONGEST_NAME = 100


class Summary(NamedTuple):
    """`kind` is query, mutation, subscription or unknown; `document` is the SHA-256 of the text, in hex; `name` is the
    one that the document gives the operation."""

    kind: str
    document: str
    name: str | None = None


class Summaries:
    """Summarizes operations, and caches the summaries."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.of = CachedFunction(self._describe, documents.cache)

    def cost(self, text: str, name: str | None, variables: Mapping[str, Any] | None) -> int | None:
        """The static cost, as the limits count it; None if there is no such operation."""
        if (operation := self._operation(text, name)) is None:
            return None
        try:
            return self._documents.measure(text, operation, variables or {}).size().cost
        except (RecursionError, TooLarge):
            return None

    @staticmethod
    def hash(text: str) -> str:
        return sha256(text.encode(errors="surrogatepass")).hexdigest()

    def _describe(self, text: str, name: str | None) -> Summary:
        if (operation := self._operation(text, name)) is None:
            return Summary(UNKNOWN, self.hash(text), None)
        named = None if operation.name is None else operation.name.value[:LONGEST_NAME]
        return Summary(operation.operation.value, self.hash(text), named)

    def _operation(self, text: str, name: str | None) -> OperationDefinitionNode | None:
        try:
            return find_operation(self._documents.parse(text), name)
        except (GraphQLError, Unplanned):
            return None
