"""Finds the document of a request, which clients may replace by its hash.

Trusted documents are those of the manifest. In the mode `optional`, clients may persist others themselves: they send
hash and text once, and from then on only the hash.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from graphql import GraphQLError

from app.documents.automatic import AutomaticDocuments
from app.documents.cached_function import EVERYBODY, NOBODY, Document
from app.documents.documents import Documents
from app.documents.manifest import PREFIX
from app.errors import BadDocumentId, DocumentNotFound, DocumentRefused

_NOT_TRUSTED = "This gateway executes only the documents of its manifest. Ask its operators to add yours."
_NOT_FOUND = "No document with this hash is known. Send the document itself, with its hash."


class PersistedDocuments:
    """The documents of the manifest and those that clients have persisted."""

    def __init__(self, trusted: Mapping[str, str], documents: Documents, mode: str, automatic_bytes: int) -> None:
        self._trusted = trusted
        self._texts = frozenset(trusted.values())
        self._documents = documents
        self._only = mode == "only"
        self._automatic = AutomaticDocuments(0 if self._only else automatic_bytes)

    def find(self, query: str | None, hash: str | None, tenant_id: str | None) -> Document:
        """The document of a request by its text, its hash or both, for a tenant or for a caller without a token.

        Raises DocumentNotFound for an unknown hash, DocumentRefused if only trusted documents are allowed and this is
        not one of them, and BadDocumentId if text and hash differ.
        """
        if hash is None:
            return self._open(self._allowed(query or "") if self._only else query or "", tenant_id)
        if not query:
            return self._open(self._text_of(hash, tenant_id), tenant_id)
        if sha256(query.encode()).hexdigest() != hash:
            raise BadDocumentId(
                "The hash is not the SHA-256, in lower-case hexadecimal digits, of the text in `query`."
            )
        document = self._open(self._allowed(query) if self._only else query, tenant_id)
        if not self._only and tenant_id is not None and hash not in self._trusted and self._may_be_persisted(document):
            self._automatic.add(tenant_id, hash, query)
        return document

    def _open(self, text: str, tenant_id: str | None) -> Document:
        """The document, with what is cached of it for the tenant, or for all if it is trusted."""
        owner = EVERYBODY if text in self._texts else NOBODY if tenant_id is None else tenant_id
        return self._documents.open(text, owner)

    def _allowed(self, query: str) -> str:
        if query not in self._texts:
            raise DocumentRefused(_NOT_TRUSTED)
        return query

    def _text_of(self, hash: str, tenant_id: str | None) -> str:
        text = self._trusted.get(hash)
        if text is None and tenant_id is not None:
            text = self._automatic.find(tenant_id, hash)
        if text is None:
            raise DocumentNotFound(_NOT_TRUSTED if self._only else _NOT_FOUND)
        return text

    def _may_be_persisted(self, document: Document) -> bool:
        """Watches are not persisted: one that reconnects to another server must be understood there."""
        try:
            return not self._documents.has_subscription(document)
        except GraphQLError:
            return False


def hash_of(fields: Mapping[str, Any]) -> str | None:
    """The hash by which a request identifies its document, if any. Raises BadDocumentId.

    It is in `documentId`, as in GraphQL over HTTP, or in `extensions.persistedQuery`, as in Apollo's protocol.
    """
    extensions = cast(dict[str, Any], fields.get("extensions") or {})
    named, apollo_hash = fields.get("documentId"), _apollo_hash(extensions.get("persistedQuery"))
    if not isinstance(named, (str, type(None))):
        raise BadDocumentId("`documentId` must be a string or null.")
    hash = named.removeprefix(PREFIX) if named else None
    if hash and apollo_hash and hash != apollo_hash:
        raise BadDocumentId("`documentId` and `extensions.persistedQuery` name different documents.")
    return hash or apollo_hash


def _apollo_hash(extension: Any) -> str | None:
    if extension is None:
        return None
    fields = cast(dict[str, Any], extension) if isinstance(extension, dict) else {}
    hash = fields.get("sha256Hash")
    if fields.get("version") != 1 or not isinstance(hash, str) or not hash:
        raise BadDocumentId('`extensions.persistedQuery` must be {"version": 1, "sha256Hash": "..."}.')
    return hash
