"""Parses, measures and validates GraphQL documents, and caches the results."""

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    Source,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.documents import deadlines
from app.documents.bounded_cache import BoundedCache
from app.documents.cached_function import NOBODY, CachedFunction, Document
from app.documents.introspection import Introspection, TooLarge
from app.documents.limits import DocumentLimits, too_complex, variables_error
from app.documents.measure import Measure
from app.documents.selections import operations_named
from app.documents.validation_rules import Rules
from app.errors import ErrorCode
from app.settings import Settings

# Each error takes time in proportion to the lines before it.
MAX_LINES = 5_000
_RULES = (*specified_rules, OneOfInputValidationRule)


class Documents:
    """Parses and validates the documents of one schema, and caches the results by text."""

    schema: GraphQLSchema

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._max_tokens = settings.max_tokens
        self._limits = DocumentLimits.of(settings)
        self.cache = BoundedCache()
        self._parse_results = CachedFunction(self._parse_or_error, self.cache)
        self._allows_introspection = settings.introspection
        self._rules = Rules(_RULES if self._allows_introspection else (*_RULES, NoSchemaIntrospectionCustomRule))
        self._validation_errors = CachedFunction(self._validate, self.cache)
        self._introspection = CachedFunction(self._introspect, self.cache)

    def open(self, text: str, owner: object = NOBODY) -> Document:
        """The document with this text, for a tenant by its ID, or for NOBODY or EVERYBODY."""
        return Document(text, owner, self.cache)

    def parse(self, text: str) -> DocumentNode:
        """The parsed document. Raises GraphQLError; syntax errors are cached too."""
        if len(text) > (limit := self._settings.max_document_characters):
            raise too_complex(f"The document has {len(text)} characters, and the limit is {limit}.")
        outcome = self._parse_results(text)
        if isinstance(outcome, DocumentNode):
            return outcome
        raise outcome()

    def is_subscription(self, text: str, name: str | None) -> bool:
        """Whether the operation to run is a subscription. Raises GraphQLSyntaxError."""
        return self.operation_type(text, name) is OperationType.SUBSCRIPTION

    def operation_type(self, text: str, name: str | None) -> OperationType | None:
        """The type of the operation to run; None if there is none of this name. Raises GraphQLSyntaxError."""
        return next((operation.operation for operation in operations_named(self.parse(text), name)), None)

    def first_error(self, text: str) -> str | None:
        """The first error of any operation of a document, without variables; None if there is none."""
        try:
            operations = operations_named(self.parse(text), None)
        except GraphQLError as error:
            return error.message
        for operation in operations:
            name = operation.name and operation.name.value
            if errors := self.errors(text, name, {}):
                return errors[0].message
        return None if operations else "It has no operation."

    def has_subscription(self, text: str) -> bool:
        """Whether any operation of a document is a subscription. Raises GraphQLError for one that does not parse."""
        operations = operations_named(self.parse(text), None)
        return any(operation.operation is OperationType.SUBSCRIPTION for operation in operations)

    def errors(self, text: str, name: str | None, variables: Mapping[str, Any]) -> list[GraphQLError]:
        """The errors that prevent execution. A document beyond the limits is not validated. Raises GraphQLError."""
        document = self.parse(text)
        operations = operations_named(document, name)
        if len(operations) > 1 and name is None:
            message = "The document has several operations. Say in operationName which one to run."
            return [GraphQLError(message, extensions={"code": ErrorCode.BAD_REQUEST})]
        operation = next(iter(operations), None)
        refusal = self._too_complex(text, document, operation, variables)
        try:
            return [refusal] if refusal else self._validation_errors(text)
        except GraphQLError as late:  # a timeout is not cached, because the next attempt may succeed
            return [late]

    def measure(self, text: str, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Measure:
        return Measure(self.schema, self.parse(text), operation, variables, partial(self._introspection, text))

    def _parse_or_error(self, document: str) -> DocumentNode | Callable[[], GraphQLError]:
        """The parsed document, or a factory of its error: an error that was raised keeps its traceback alive."""
        text = str(document)  # without the results of the document
        if (lines := max(text.count("\n"), text.count("\r"))) > MAX_LINES:
            return partial(too_complex, f"The document has {lines} lines, and the limit is {MAX_LINES}.")
        try:
            return deadlines.parse(text, self._max_tokens, self._settings.parse_seconds)
        except GraphQLSyntaxError as error:
            if "more than" in error.message and "tokens" in error.message:
                return partial(too_complex, f"The document has more than {self._max_tokens} tokens.")
            message = error.message.removeprefix("Syntax Error: ")
            return partial(GraphQLSyntaxError, Source(text), next(iter(error.positions or ()), 0), message)

    def _introspect(self, text: str) -> Introspection:
        return Introspection(self.schema, self.parse(text))

    def _too_complex(
        self,
        text: str,
        document: DocumentNode,
        operation: OperationDefinitionNode | None,
        variables: Mapping[str, Any],
    ) -> GraphQLError | None:
        # Variables are checked before their values are coerced one by one.
        refusal = variables_error(variables) or self._limits.document_error(document)
        if refusal or operation is None:
            return refusal
        measure = self.measure(text, operation, variables)
        try:
            return self._limits.error_for(measure.size(), measure.root_fields())
        except RecursionError:
            return too_complex("The document is nested too deeply.")
        except TooLarge:
            return too_complex("The operation selects too much of the schema.")

    def _validate(self, text: str) -> list[GraphQLError]:
        document = self.parse(text)
        seconds = self._settings.validation_seconds
        return deadlines.validation_errors(self.schema, document, self._rules, not self._allows_introspection, seconds)


class Prepare(SchemaExtension):
    """Makes Strawberry use the cached documents and their errors."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def on_parse(self) -> Generator[None]:
        context = self.execution_context
        context.graphql_document = self._documents.parse(self._document)
        yield

    def on_validate(self) -> Generator[None]:
        context = self.execution_context
        # Strawberry keeps the operation name of the request only in this private field.
        name = context._provided_operation_name  # pyright: ignore[reportPrivateUsage]
        context.pre_execution_errors = self._documents.errors(self._document, name, context.variables or {})
        yield

    @property
    def _document(self) -> str:
        return self.execution_context.query or ""
