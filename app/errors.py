"""The errors of the gateway, as a tree.

    Refusal                 expected; sent to the caller as data in a mutation's payload
    ├── NotFound            it does not exist, or the caller may not know that it does
    ├── Forbidden           the caller can see it but may not do this
    ├── Conflict            the caller may, but the present state does not allow it
    ├── BadUserInput        the input is malformed; the store was not read
    └── LimitExceeded       a quota is full

    Malformed               all BadUserInput of one input; nothing was carried out

    Problem                 sent as a top-level GraphQL error
    ├── Unauthenticated     no token, or an invalid one
    │   ├── TokenExpired    a fresh token would help
    │   │   └── KeyAwaited  its key is unknown, but the next fetch of the key set may bring it
    │   └── NoRole          the token is valid, but gives its caller no role here; sent as FORBIDDEN
    ├── CursorInvalid       the cursor was not made here, or not for this watch
    ├── CursorExpired       the cursor is older than the log
    ├── ResponseTooLarge    the response would exceed its limit
    ├── RateLimited         the caller's budget is spent for now
    ├── DocumentNotFound    no document with this hash is known
    ├── DocumentRefused     only documents of the manifest are executed
    ├── BadDocumentId       the hash of a document is malformed, or is another document's
    ├── TimedOut            the operation exceeds its deadline; the message says what has become of it
    └── Unavailable         the store can't be reached; a later retry may help
        └── Overloaded      this process or the store is at its limit; nothing was begun

    SetupError              the operator has to change something; ends the command with one sentence
    └── StoreAway           the database can't be reached; a server waits for it

Every other exception is a fault: it is logged in full, and hidden from callers.
"""

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The codes of top-level errors (`extensions.code`): a closed list."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    CURSOR_INVALID = "CURSOR_INVALID"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class UserErrorCode(StrEnum):
    """The codes of expected refusals (`errors { code }` of a payload): extended, never renamed."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


class Refusal(Exception):
    """An expected refusal. `path` leads from the mutation's arguments to the value at fault."""

    code: ClassVar[UserErrorCode]

    def __init__(
        self,
        message: str,
        path: tuple[str, ...] | None = None,
        tenant_id: str | None = None,
        member_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.tenant_id = tenant_id
        self.member_id = member_id


class NotFound(Refusal):
    code = UserErrorCode.NOT_FOUND


class Forbidden(Refusal):
    code = UserErrorCode.FORBIDDEN


class Conflict(Refusal):
    code = UserErrorCode.CONFLICT


class BadUserInput(Refusal):
    code = UserErrorCode.BAD_USER_INPUT


class LimitExceeded(Refusal):
    code = UserErrorCode.LIMIT_EXCEEDED


class Malformed(Exception):
    """Everything that is malformed in one input."""

    def __init__(self, *mistakes: BadUserInput) -> None:
        super().__init__(*mistakes)
        self.mistakes = mistakes


class Problem(Exception):
    """A failure of the whole request, sent to the caller with its code and further extensions."""

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, **extensions: str | int) -> None:
        super().__init__(message)
        self.extensions = extensions


class Unauthenticated(Problem):
    code = ErrorCode.UNAUTHENTICATED


class TokenExpired(Unauthenticated):
    pass


class KeyAwaited(TokenExpired):
    pass


class NoRole(Unauthenticated):
    code = ErrorCode.FORBIDDEN


class CursorInvalid(Problem):
    code = ErrorCode.CURSOR_INVALID


class CursorExpired(Problem):
    code = ErrorCode.CURSOR_EXPIRED


class ResponseTooLarge(Problem):
    """The response exceeds its limit, so no part of it is sent."""

    code = ErrorCode.QUERY_TOO_COMPLEX

    def __init__(self, limit: int, what: str = "The response") -> None:
        super().__init__(
            f"{what} has more than {limit} bytes, the most that are sent. Ask for less at a time: smaller pages, fewer "
            "fields of long texts, or several requests."
        )


class RateLimited(Problem):
    code = ErrorCode.RATE_LIMITED


class DocumentProblem(Problem):
    """A document is unknown by its hash, or not trusted; it was not parsed."""


class DocumentNotFound(DocumentProblem):
    code = ErrorCode.PERSISTED_QUERY_NOT_FOUND


class DocumentRefused(DocumentProblem):
    code = ErrorCode.FORBIDDEN


class BadDocumentId(DocumentProblem):
    code = ErrorCode.BAD_REQUEST


class TimedOut(Problem):
    code = ErrorCode.TIMEOUT


class Unavailable(Problem):
    code = ErrorCode.UNAVAILABLE


class Overloaded(Unavailable):
    pass


class SetupError(Exception):
    """The installation is not set up correctly; the message says what to do."""


class StoreAway(SetupError):
    """The database can't be reached, which may be temporary."""
