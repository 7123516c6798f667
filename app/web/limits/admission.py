"""Admission control: beyond `max_operations`, reject immediately, so that the client retries."""

from graphql import GraphQLError, OperationType

from app.documents.documents import Documents
from app.errors import Overloaded, Problem, Unavailable
from app.lifetime import Lifetime
from app.settings import Settings


class Admission:
    """Admits operations up to a limit. An operation counts until it and the units of work that it started are over."""

    def __init__(self, settings: Settings, documents: Documents) -> None:
        self._settings = settings
        self._documents = documents
        self.in_flight = 0
        self.shed = 0

    def admit(self, text: str, name: str | None) -> Lifetime:
        """Admit a query or mutation until its lifetime ends, as `lifetime.within` does. Raises Overloaded."""
        is_mutation = self._kind(text, name) is OperationType.MUTATION
        seconds = self._settings.mutation_seconds if is_mutation else self._settings.query_seconds
        return self._begin("mutation" if is_mutation else "query", seconds)

    def admit_watch(self) -> Lifetime:
        """Admit the start of a watch. Raises Unavailable, after which its client reconnects."""
        try:
            return self._begin("start of the watch", self._settings.watch_item_seconds)
        except Overloaded as error:
            raise Unavailable(str(error)) from error

    def require_capacity(self) -> None:
        """Raises Overloaded at the limit."""
        if self.in_flight >= self._settings.max_operations:
            self.shed += 1
            raise Overloaded("The gateway is overloaded. The operation was not started; try again in a moment.")

    def _begin(self, kind: str, seconds: float) -> Lifetime:
        self.require_capacity()
        self.in_flight += 1
        return Lifetime(kind, seconds, self._end)

    def _kind(self, text: str, name: str | None) -> OperationType | None:
        try:
            return self._documents.operation_type(text, name)
        except (GraphQLError, Problem):
            return None  # the next step of the pipeline reports it

    def _end(self) -> None:
        self.in_flight -= 1
