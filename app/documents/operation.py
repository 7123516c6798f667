"""One operation of one document, and whether the limits allow it."""

from collections.abc import Mapping
from typing import Any

from app import caches
from app.documents.documents import Documents
from app.documents.selections import operation_of
from app.documents.unplanned import Unplanned

KEPT_VERDICTS = 64


class Operation:
    """Raises a syntax error, and Unplanned where it is not plain which operation is meant."""

    def __init__(self, documents: Documents, text: str, name: str | None) -> None:
        self.schema = documents.schema
        self.document = documents.parsed(text)
        self.definition = operation_of(self.document, name)
        self.name = name
        self._documents = documents
        self._verdicts: dict[tuple[Any, ...], bool] = {}

    def require_allowed(self, sizes: tuple[Any, ...], variables: Mapping[str, Any]) -> None:
        """Valid, and within the limits, which hang on the sizes alone. Raises Unplanned."""
        verdict = self._verdicts.get(sizes)
        if verdict is None:
            verdict = not self._documents.errors(self.document, self.name, variables)
            caches.put(self._verdicts, sizes, verdict, KEPT_VERDICTS)
        if not verdict:
            raise Unplanned("refused")
