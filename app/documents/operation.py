"""One operation of one document."""

from collections.abc import Mapping
from typing import Any

from app import caches
from app.documents.documents import Documents
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned

MAX_VERDICTS = 64


class Operation:
    """An operation to be planned. Raises GraphQLSyntaxError, and Unplanned if the name does not identify one."""

    def __init__(self, documents: Documents, text: str, name: str | None) -> None:
        self.schema = documents.schema
        self.document = documents.parse(text)
        self.definition = find_operation(self.document, name)
        self.name = name
        self._documents, self._text = documents, text
        self._verdicts: dict[tuple[Any, ...], bool] = {}

    def require_allowed(self, sizes: tuple[Any, ...], variables: Mapping[str, Any]) -> None:
        """Check that the operation is valid and within the limits, which depend only on the sizes. Raises Unplanned."""
        verdict = self._verdicts.get(sizes)
        if verdict is None:
            verdict = not self._documents.errors(self._text, self.name, variables)
            caches.put(self._verdicts, sizes, verdict, MAX_VERDICTS)
        if not verdict:
            raise Unplanned("refused")
