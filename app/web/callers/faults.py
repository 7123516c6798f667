"""Reasons for refusing a token: a closed list, so that no part of a token reaches a log or a response."""

from enum import StrEnum

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError


class Fault(StrEnum):
    """Messages to the client, in HTTP responses and as the reason of a WebSocket close."""

    HEADER = "The Authorization value must be: Bearer <token>."
    TOO_LONG = "The token is too long."
    EXPIRED = "The token has expired. Get a fresh one."
    FORM = "The token is invalid: it is not three parts in base64url."
    UNREADABLE = "The token is invalid: it is not a JSON Web Token, or requires an unsupported extension."
    NO_ALGORITHM = "The token is invalid: it names no algorithm."
    ALGORITHM = "The token is invalid: the gateway does not accept its algorithm."
    KEY_ID = "The token is invalid: its key ID is too long."
    MANY_KEYS = "The token is invalid: it names no key, and there are too many to try."
    KEY_ALGORITHM = "The token is invalid: its key is for another algorithm."
    KEY_AWAITED = "The token's key is not, or no longer, in the key set. Get a fresh token."
    SIGNATURE = "The token is invalid: its signature is wrong."
    MISSING = "The token is invalid: it needs the claims exp, aud and iss."
    AUDIENCE = "The token is invalid: it is for another audience."
    ISSUER = "The token is invalid: it is from another issuer."
    TOO_EARLY = "The token is not valid yet. Check the clocks."
    CLAIMS = "The token is invalid: its claims can't be read."


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
