"""Chooses the issuer whose keys a token is verified with, by the `iss` claim that is not verified yet."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any, cast

import orjson

from app.errors import Unauthenticated
from app.settings.issuers import TENANT_PLACEHOLDER
from app.web.callers.faults import Fault
from app.web.callers.policy import TokenPolicy


class IssuerChoice:
    """The index of a token's issuer. The policy compares the claim again once the signature is verified."""

    def __init__(self, policies: Sequence[TokenPolicy]) -> None:
        self._count = len(policies)
        self._exact = {policy.issuer: index for index, policy in enumerate(policies) if not policy.is_template}
        self._templates = [
            (_template(policy.issuer), index) for index, policy in enumerate(policies) if policy.is_template
        ]

    def index_for(self, token: str) -> int | None:
        """The index of the policy, or None if no issuer fits; a single one fits every token. Raises Unauthenticated."""
        if self._count == 1:
            return 0
        issuer = unverified_claims(token).get("iss")
        if not isinstance(issuer, str):
            raise Unauthenticated(Fault.MISSING)
        if (index := self._exact.get(issuer)) is not None:
            return index
        return next((index for template, index in self._templates if template.fullmatch(issuer)), None)


def _template(issuer: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, issuer.split(TENANT_PLACEHOLDER))))


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims that a token makes. Raises Unauthenticated if they can't be read."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims: Any = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        raise Unauthenticated(Fault.FORM) from None
    if not isinstance(claims, dict):
        raise Unauthenticated(Fault.CLAIMS)
    return cast(dict[str, Any], claims)
