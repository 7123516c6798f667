"""Validation by a single visitor finds the errors of GraphQL's own `validate`, in the same order."""

import re

import pytest
from graphql import GraphQLError, GraphQLSchema, parse, specified_rules, validate
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.api.schema import build_schema
from app.documents import deadlines
from app.documents.deadlines import MAX_ERRORS
from app.documents.validation_rules import Rules
from app.settings import Settings

RULES = (*specified_rules, OneOfInputValidationRule)
# Each violates a rule once one or two of its tokens have changed.
DOCUMENTS = {
    "query": """query Q($id: ID!, $first: Int = 3, $with: Boolean!) {
  image(id: $id) { id name ...Members @include(if: $with) }
  twice: image(id: "1") { id @skip(if: true) ... on Image { status } }
  offers(first: $first) { nodes { id image { id } } }
} fragment Members on Image { members(first: 2) { nodes { id status } } }""",
    "mutation": """mutation M($input: OfferImageInput!) {
  offerImage(input: $input) { members { id } errors { code } }
  other: offerImage(input: {imageId: "1", tenantIds: ["2", "3"]}) { members { id } }
}""",
    "several": "query A { viewer { id } } query B { viewer { id } } subscription C { watchOffers { cursor } }",
    "fragments": "{ viewer { ...A } } fragment A on Viewer { id ...B } fragment B on Viewer { id }",
}
OTHER_WORDS = ("id", "Image", "$id", "first", '"x"', "1", "@skip", "A", "...")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(Settings()).documents.schema


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_document_with_one_word_changed_gets_the_same_errors(schema: GraphQLSchema, kind: str) -> None:
    seen = set[str]()
    for text in _variants(DOCUMENTS[kind]):
        try:
            document = parse(text)
        except GraphQLError:
            continue
        expected = [error.formatted for error in validate(schema, document, RULES, MAX_ERRORS)]
        found = deadlines.validation_errors(schema, document, Rules(RULES), hide_suggestions=False, seconds=60)

        assert [error.formatted for error in found] == expected, text
        seen.update(str(error.get("message")) for error in expected)

    assert len(seen) > 15


def _variants(text: str) -> list[str]:
    """The text, and its variants with one token omitted, doubled or replaced."""
    changed = [text]
    for word in re.finditer(r'[$@]?\w+|"\w+"|\.\.\.', text):
        before, after = text[: word.start()], text[word.end() :]
        changed += [f"{before}{other}{after}" for other in ("", f"{word[0]} {word[0]}", *OTHER_WORDS)]
    return changed


def test_too_many_errors_end_validation_as_in_graphql(schema: GraphQLSchema) -> None:
    document = parse("{" + " ".join(f"unknown{number}" for number in range(MAX_ERRORS + 5)) + "}")
    expected = validate(schema, document, RULES, MAX_ERRORS)
    found = deadlines.validation_errors(schema, document, Rules(RULES), hide_suggestions=False, seconds=60)

    assert [error.formatted for error in found] == [error.formatted for error in expected]
    assert len(found) == MAX_ERRORS + 1
