"""Reasons for refusing a token: a closed list, so that no part of a token reaches a log or a response."""

from enum import StrEnum

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError


class Fault(StrEnum):
    """Messages to the client, in HTTP responses and as the reason of a WebSocket close."""

    HEADER = "The Authorization value must be: Bearer <token>."
    TOO_LONG = "The token is too long."
    EXPIRED = "The token has expired. Get a fresh one."
    FORM = "Invalid token: it is not three parts in base64url."
    UNREADABLE = "Invalid token: it is not a JSON Web Token, or needs an extension that is not known here."
    NO_ALGORITHM = "Invalid token: it names no algorithm."
    ALGORITHM = "Invalid token: its algorithm is not among those of this gateway."
    KEY_ID = "Invalid token: its key ID is too long."
    MANY_KEYS = "Invalid token: it names no key, and there are too many to try."
    KEY_ALGORITHM = "Invalid token: its key is for another algorithm."
    KEY_AWAITED = "The token's key is not in the key set, or no longer. Get a fresh token."
    SIGNATURE = "Invalid token: its signature is wrong."
    MISSING = "Invalid token: it needs the claims exp, aud and iss."
    AUDIENCE = "Invalid token: it is for another audience."
    ISSUER = "Invalid token: it is from another issuer."
    TOO_EARLY = "Invalid token: it is not valid yet. Look at the clocks."
    CLAIMS = "Invalid token: its claims can't be read."


_FAULTS: dict[type[Exception], Fault] = {
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
# PyJWT raises these for unreadable tokens. Their messages quote the token, so they are never passed on.
UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def fault_of(error: Exception) -> Fault:
    """The message for an error raised by PyJWT."""
    return _FAULTS.get(type(error), Fault.UNREADABLE)
