"""What this process has taken on, and no more of it than it may: who comes then is told at once, and comes again."""

from graphql import GraphQLError, OperationType

from app.documents.documents import Documents
from app.errors import Overloaded, Problem, Unavailable
from app.lifetime import Lifetime
from app.settings import Settings


class Load:
    """Takes operations on, up to a limit. The place of one is free again when it and the units it began are over."""

    def __init__(self, settings: Settings, documents: Documents) -> None:
        self._settings = settings
        self._documents = documents
        self.under_way = 0
        self.shed = 0

    def admit(self, text: str, name: str | None) -> Lifetime:
        """The lifetime of an operation that is taken on; `lifetime.within` ends it. Raises Overloaded."""
        is_mutation = self._kind(text, name) is OperationType.MUTATION
        seconds = self._settings.mutation_seconds if is_mutation else self._settings.query_seconds
        return self._taken("mutation" if is_mutation else "query", seconds)

    def admit_watch(self) -> Lifetime:
        """The same of the start of a watch. Raises Unavailable, after which its client comes again."""
        try:
            return self._taken("start of the watch", self._settings.watch_item_seconds)
        except Overloaded as error:
            raise Unavailable(str(error)) from error

    def require_room(self) -> None:
        """Raises Overloaded when nothing more is taken on just now."""
        if self.under_way >= self._settings.max_operations:
            self.shed += 1
            raise Overloaded("The gateway has more to do than it can. Nothing was begun; try again in a moment.")

    def _taken(self, what: str, seconds: float) -> Lifetime:
        self.require_room()
        self.under_way += 1
        return Lifetime(what, seconds, self._leave)

    def _kind(self, text: str, name: str | None) -> OperationType | None:
        try:
            return self._documents.kind(text, name)
        except (GraphQLError, Problem):
            return None  # it will be said in a moment what is wrong with it

    def _leave(self) -> None:
        self.under_way -= 1
