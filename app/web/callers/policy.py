"""The policy for the tokens of one issuer: which claims they must have, and what these mean. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.errors import BadUserInput, SetupError
from app.model import Role
from app.settings.issuers import TENANT_PLACEHOLDER, IssuerSettings
from app.sharing import formats
from app.web.callers.claim_paths import ClaimPath, single, words

LONGEST_SUBJECT = 255
_NONE = frozenset[Role]()


@dataclass(frozen=True)
class TokenPolicy:
    """Reads and checks claims by the settings of their issuer."""

    entry: IssuerSettings
    tenant_id_pattern: str
    leeway_seconds: int

    @property
    def issuer(self) -> str:
        return self.entry.issuer

    @cached_property
    def is_template(self) -> bool:
        return TENANT_PLACEHOLDER in self.entry.issuer

    @cached_property
    def audiences(self) -> frozenset[str]:
        return frozenset(self.entry.audience.split())

    @cached_property
    def _audience(self) -> ClaimPath:
        return ClaimPath(self.entry.audience_claim)

    @cached_property
    def _tenant(self) -> ClaimPath:
        return ClaimPath(self.entry.tenant_claim)

    @cached_property
    def _roles(self) -> ClaimPath:
        return ClaimPath(self.entry.roles_claim)

    @cached_property
    def _subject(self) -> ClaimPath:
        return ClaimPath(self.entry.subject_claim)

    @cached_property
    def role_map(self) -> Mapping[str, frozenset[Role]]:
        """The words that count, and their roles. Without a map, the names of the roles."""
        if self.entry.role_map is None:
            return {role.value: frozenset({role}) for role in Role}
        return {word: frozenset(map(Role, roles)) for word, roles in self.entry.role_map.items()}

    def issuer_of_tenant(self, tenant_id: str) -> str:
        return self.entry.issuer.replace(TENANT_PLACEHOLDER, tenant_id)

    def audience_claim(self, claims: Mapping[str, Any]) -> Any:
        return self._audience.find(claims)

    def tenant_claim(self, claims: Mapping[str, Any]) -> Any:
        return self._tenant.find(claims)

    def roles_claim(self, claims: Mapping[str, Any]) -> Any:
        return self._roles.find(claims)

    def tenant_id(self, claims: Mapping[str, Any]) -> str | None:
        """The caller's tenant ID, or None if there is not exactly one of the right form."""
        found = single(self.tenant_claim(claims)) or ""
        try:
            formats.tenant_id(found, self.tenant_id_pattern)
            if self.entry.tenant_id_pattern is not None:
                formats.tenant_id(found, self.entry.tenant_id_pattern)
        except BadUserInput:
            return None
        return found

    def roles(self, claims: Mapping[str, Any], tenant_id: str) -> frozenset[Role]:
        found = words(self.roles_claim(claims), tenant_id)
        return _NONE.union(*(self.role_map[word] for word in found if word in self.role_map)) or self._default_roles

    @cached_property
    def _default_roles(self) -> frozenset[Role]:
        return frozenset({Role(self.entry.default_role)} if self.entry.default_role else ())

    def subject(self, claims: Mapping[str, Any]) -> str | None:
        """The user's name for the log, or None if the claim is not a name."""
        claim = self._subject.find(claims)
        return str(claim)[:LONGEST_SUBJECT] if isinstance(claim, str | int | float) else None

    def words_for(self, roles: Iterable[Role]) -> list[str]:
        """The words that give exactly these roles. Raises SetupError if the role map has none."""
        wanted = frozenset(roles)
        fitting = {word: mapped for word, mapped in self.role_map.items() if mapped <= wanted}
        if missing := wanted.difference(*fitting.values()):
            raise SetupError(f"IMAGE_GATEWAY_AUTH_ROLE_MAP has no word for {', '.join(sorted(missing))} alone.")
        return sorted(fitting)
