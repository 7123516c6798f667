"""Documents that are named by their hash instead of being sent.

Trusted ones stand in the manifest and are there for everybody. In the mode `optional` clients may persist others by
themselves: they send hash and text once, and from then on the hash alone.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from graphql import GraphQLError

from app.documents.automatic import AutomaticDocuments
from app.documents.cache import EVERYBODY, NOBODY, remember_for
from app.documents.documents import Documents
from app.documents.manifest import PREFIX
from app.errors import BadDocumentId, DocumentNotFound, DocumentRefused

_NOT_TRUSTED = "This gateway carries out only the documents of its manifest. Have yours added to it."
_NOT_FOUND = "No document is known by this hash. Send the document itself, with its hash."


class Persisted:
    """What a request's document is, whether it was sent or named."""

    def __init__(self, trusted: Mapping[str, str], documents: Documents, mode: str, automatic_bytes: int) -> None:
        self._trusted = trusted
        self._texts = frozenset(trusted.values())
        self._documents = documents
        self._only = mode == "only"
        self._automatic = AutomaticDocuments(0 if self._only else automatic_bytes)

    def text(self, query: str | None, hash: str | None, tenant_id: str | None) -> str:
        """The document to carry out for a tenant, None for nobody's. `hash` names it.

        Raises DocumentNotFound for an unknown hash, DocumentRefused for a document that is not trusted where only those
        are, and BadDocumentId for a hash of another text.
        """
        remember_for(NOBODY if tenant_id is None else tenant_id)
        text = self._text(query, hash, tenant_id)
        self.begin(text, tenant_id)
        return text

    def begin(self, text: str, tenant_id: str | None) -> None:
        """Have what is worked out for a document remembered for its sender alone, or for all if it is trusted."""
        remember_for(EVERYBODY if text in self._texts else NOBODY if tenant_id is None else tenant_id)

    def _text(self, query: str | None, hash: str | None, tenant_id: str | None) -> str:
        if hash is None:
            return self._allowed(query or "") if self._only else query or ""
        if not query:
            return self._found(hash, tenant_id)
        if sha256(query.encode()).hexdigest() != hash:
            raise BadDocumentId(
                "The hash is not the SHA-256, in lower-case hexadecimal digits, of the text in `query`."
            )
        if self._only:
            return self._allowed(query)
        if tenant_id is not None and hash not in self._trusted and self._may_be_kept(query):
            self._automatic.add(tenant_id, hash, query)
        return query

    def _allowed(self, query: str) -> str:
        if query not in self._texts:
            raise DocumentRefused(_NOT_TRUSTED)
        return query

    def _found(self, hash: str, tenant_id: str | None) -> str:
        text = self._trusted.get(hash)
        if text is None and tenant_id is not None:
            text = self._automatic.find(tenant_id, hash)
        if text is None:
            raise DocumentNotFound(_NOT_TRUSTED if self._only else _NOT_FOUND)
        return text

    def _may_be_kept(self, query: str) -> bool:
        """A watch is not: it comes back, perhaps to another server, which has to know what it is about."""
        try:
            return not self._documents.has_subscription(query)
        except GraphQLError:
            return False


def hash_of(fields: Mapping[str, Any]) -> str | None:
    """The hash by which a request names its document, None when it names none. Raises BadDocumentId.

    It is in `documentId`, as GraphQL over HTTP has it, or in `extensions.persistedQuery`, as Apollo has it.
    """
    extensions = cast(dict[str, Any], fields.get("extensions") or {})
    named, of_apollo = fields.get("documentId"), _hash_of_apollo(extensions.get("persistedQuery"))
    if not isinstance(named, (str, type(None))):
        raise BadDocumentId("`documentId` must be a string or null.")
    hash = named.removeprefix(PREFIX) if named else None
    if hash and of_apollo and hash != of_apollo:
        raise BadDocumentId("`documentId` and `extensions.persistedQuery` name different documents.")
    return hash or of_apollo


def _hash_of_apollo(extension: Any) -> str | None:
    if extension is None:
        return None
    given = cast(dict[str, Any], extension) if isinstance(extension, dict) else {}
    hash = given.get("sha256Hash")
    if given.get("version") != 1 or not isinstance(hash, str) or not hash:
        raise BadDocumentId('`extensions.persistedQuery` must be {"version": 1, "sha256Hash": "..."}.')
    return hash
