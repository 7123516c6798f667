"""What front ends build with: types by GraphQL Code Generator, Relay's compiler, and the rules of graphql-eslint."""

from pathlib import Path

import pytest

from tests.harness.node import Run
from tests.harness.workshop import NpmSandbox

pytestmark = pytest.mark.slow

GENERATE = ("graphql-codegen", "--config", "codegen.config.mjs")
COMPILE = ("tsc", "--strict", "--noEmit", "--project", "typed")
RELAY = ("relay-compiler", "relay.config.json", "--noWatchman")
# A status that does not exist, an item of the watch that is forgotten, a fragment that is not read, and no error where
# one is expected: the file, what is changed in it, and what the compiler says.
WRONG_USES = [
    ("statuses.ts", "case 'REJECTED'", "case 'WITHDRAWN'", "'\"WITHDRAWN\"' is not comparable to type"),
    ("watching.ts", "    case 'MemberState':\n      return item.cursor\n", "", "does not satisfy the expected type"),
    ("sharing.ts", "read(RefusalPartsFragmentDoc, error)", "error", "Property 'code' does not exist"),
    ("refused.ts", "['WITHDRAWN']", "['REJECTED']", "Unused '@ts-expect-error' directive"),
]
BAD_TYPE = """
type Bad_Thing implements Node {
  id: ID!
  Name: String
  orphans: OrphanConnection
}

type OrphanConnection {
  edges: [String]
}
"""


@pytest.fixture
def workshop(tmp_path: Path, node: Run) -> NpmSandbox:
    return NpmSandbox.create(tmp_path, node)


@pytest.fixture(scope="module")
def with_types(tmp_path_factory: pytest.TempPathFactory, node: Run) -> NpmSandbox:
    """A workshop where the types of all operations are generated."""
    workshop = NpmSandbox.create(tmp_path_factory.mktemp("types"), node)
    generated = workshop.tool(*GENERATE)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return workshop


def test_a_strict_front_end_compiles_with_the_generated_types(with_types: NpmSandbox) -> None:
    compiled = with_types.tool(*COMPILE)

    assert (compiled.returncode, compiled.stdout) == (0, "")


def test_a_wrong_use_of_the_generated_types_does_not_compile(with_types: NpmSandbox, tmp_path: Path) -> None:
    spoilt = with_types.copy_to(tmp_path)
    for file, old, new, _ in WRONG_USES:
        spoilt.plant(f"tests/node/typed/{file}", old, new)

    compiled = spoilt.tool(*COMPILE)

    assert compiled.returncode != 0
    for file, _, _, refusal in WRONG_USES:
        assert any(f"typed/{file}" in line and refusal in line for line in compiled.stdout.splitlines()), file


@pytest.mark.long
def test_a_status_that_the_schema_gains_must_be_thought_of_by_front_ends(workshop: NpmSandbox) -> None:
    workshop.plant("schema.graphql", "enum MemberStatus {", "enum MemberStatus {\n  EXPIRED")
    assert workshop.tool(*GENERATE).returncode == 0

    compiled = workshop.tool(*COMPILE)

    assert "typed/statuses.ts" in compiled.stdout
    assert "Type '\"EXPIRED\"' does not satisfy the expected type 'never'" in compiled.stdout


@pytest.mark.long
def test_no_types_are_generated_for_a_field_that_the_schema_lacks(workshop: NpmSandbox) -> None:
    workshop.plant("tests/node/operations/fragments.graphql", "  sizeBytes", "  size")

    generated = workshop.tool(*GENERATE)

    assert generated.returncode != 0
    assert 'Cannot query field "size" on type "Image"' in generated.stdout + generated.stderr


def test_relay_compiles_its_lists_refetches_answers_and_watches(workshop: NpmSandbox) -> None:
    compiled = workshop.tool(*RELAY)

    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    artifacts = {file.name.partition(".")[0] for file in (workshop.folder / "relay" / "__generated__").iterdir()}
    assert artifacts == {
        *("inboxQuery", "inboxNextPageQuery", "inbox_offers", "inbox_offer", "inboxAcceptMutation"),
        *("imageQuery", "imageRefetchQuery", "image_members", "imageWatchSubscription"),
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "refusal"),
    [
        ("tests/node/relay/inbox.ts", "watchCursor", "place", "The type `MemberConnection` has no field `place`"),
        ("tests/node/relay/image.ts", "node(id:", "node(key:", "Unknown argument 'key' on field 'Query.node'"),
        ("schema.graphql", "Image implements Node", "Image", "'image_members', the type of this fragment ('Image')"),
        ("schema.graphql", "  endCursor:", "  end:", "@connection used on invalid field 'members'"),
    ],
    ids=["a-field-that-is-not-there", "an-argument-that-is-not-there", "an-image-that-is-no-node", "pages-without-end"],
)
def test_relay_refuses_what_does_not_fit_the_schema(
    workshop: NpmSandbox, file: str, old: str, new: str, refusal: str
) -> None:
    workshop.plant(file, old, new)

    compiled = workshop.tool(*RELAY)

    assert compiled.returncode != 0
    assert refusal in compiled.stdout + compiled.stderr


def test_the_schema_keeps_the_rules_of_graphql_eslint(workshop: NpmSandbox) -> None:
    linted = workshop.node("lint.mjs", str(workshop.root / "schema.graphql"))

    assert (linted.returncode, linted.stdout) == (0, ""), linted.stderr


def test_graphql_eslint_refuses_a_bad_type(workshop: NpmSandbox) -> None:
    workshop.plant("schema.graphql", "interface Node {", BAD_TYPE + "\ninterface Node {")

    linted = workshop.node("lint.mjs", str(workshop.root / "schema.graphql"))

    assert linted.returncode == 1, linted.stderr
    told = {line.rpartition("/")[2].rstrip(")") for line in linted.stdout.splitlines()}
    assert {"naming-convention", "require-description", "relay-connection-types", "relay-edge-types"} <= told
