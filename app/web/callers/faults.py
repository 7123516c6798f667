"""Why a token does not count: a closed list of sentences, so that nothing of a token reaches a log or an answer."""

from enum import StrEnum

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError


class Fault(StrEnum):
    """What its sender may read, over HTTP and as the reason of a closed WebSocket."""

    HEADER = "The Authorization value must be: Bearer <token>."
    TOO_LONG = "The token is too long."
    EXPIRED = "The token has expired. Get a fresh one."
    FORM = "The token does not count: it is not three parts in base64url."
    UNREADABLE = "The token does not count: it is no JSON Web Token, or needs an extension that is not known here."
    NO_ALGORITHM = "The token does not count: it names no algorithm."
    ALGORITHM = "The token does not count: its algorithm is not among those of this gateway."
    KEY_ID = "The token does not count: its key ID is too long."
    MANY_KEYS = "The token does not count: it names no key, and there are too many to try."
    KEY_ALGORITHM = "The token does not count: its key is for another algorithm."
    KEY_AWAITED = "The token's key is not in the key set, or no longer. Get a fresh token."
    SIGNATURE = "The token does not count: its signature is wrong."
    MISSING = "The token does not count: it needs the claims exp, aud and iss."
    AUDIENCE = "The token does not count: it is for another audience."
    ISSUER = "The token does not count: it is from another issuer."
    TOO_EARLY = "The token does not count: it is not valid yet. Look at the clocks."
    CLAIMS = "The token does not count: its claims can't be read."


_OF_LIBRARY: dict[type[Exception], Fault] = {
    jwt.ExpiredSignatureError: Fault.EXPIRED,
    jwt.InvalidSignatureError: Fault.SIGNATURE,
    jwt.InvalidAlgorithmError: Fault.ALGORITHM,
    jwt.MissingRequiredClaimError: Fault.MISSING,
    jwt.InvalidAudienceError: Fault.AUDIENCE,
    jwt.InvalidIssuerError: Fault.ISSUER,
    jwt.ImmatureSignatureError: Fault.TOO_EARLY,
    jwt.InvalidIssuedAtError: Fault.CLAIMS,
    InvalidSubjectError: Fault.CLAIMS,
    InvalidJTIError: Fault.CLAIMS,
}
# What the library raises at a token that it can't read; its messages quote the token.
UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def fault_of(error: Exception) -> Fault:
    """The sentence for what the library found wrong."""
    return _OF_LIBRARY.get(type(error), Fault.UNREADABLE)
