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

    def index_for(self, token: str) -> int:
        """The index of the policy. Raises Unauthenticated if no issuer fits; a single one fits every token."""
        if self._count == 1:
            return 0
        issuer = _unverified_issuer(token)
        if (index := self._exact.get(issuer)) is not None:
            return index
        for template, index in self._templates:
            if template.fullmatch(issuer):
                return index
        raise Unauthenticated(Fault.ISSUER)


def _template(issuer: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, issuer.split(TENANT_PLACEHOLDER))))


def _unverified_issuer(token: str) -> str:
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims: Any = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        raise Unauthenticated(Fault.FORM) from None
    issuer: Any = cast(dict[str, Any], claims).get("iss") if isinstance(claims, dict) else None
    if not isinstance(issuer, str):
        raise Unauthenticated(Fault.MISSING)
    return issuer
