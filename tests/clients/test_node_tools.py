"""Build tools of front ends: GraphQL Code Generator, Relay's compiler and graphql-eslint."""

from pathlib import Path

import pytest

from tests.harness.node import Run
from tests.harness.npm_sandbox import NpmSandbox

pytestmark = pytest.mark.slow

GENERATE = ("graphql-codegen", "--config", "codegen.config.mjs")
COMPILE = ("tsc", "--strict", "--noEmit", "--project", "typed")
RELAY = ("relay-compiler", "relay.config.json", "--noWatchman")
# A status that does not exist, an unhandled item of the watch, an unread fragment, and a missing error where
# one is expected: the file, the replacement, and the compiler's message.
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
def sandbox(tmp_path: Path, node: Run) -> NpmSandbox:
    return NpmSandbox.create(tmp_path, node)


@pytest.fixture(scope="module")
def with_types(tmp_path_factory: pytest.TempPathFactory, node: Run) -> NpmSandbox:
    """A sandbox with the generated types of all operations."""
    sandbox = NpmSandbox.create(tmp_path_factory.mktemp("types"), node)
    generated = sandbox.tool(*GENERATE)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return sandbox


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
def test_front_ends_must_handle_a_new_status_of_the_schema(sandbox: NpmSandbox) -> None:
    sandbox.plant("schema.graphql", "enum MemberStatus {", "enum MemberStatus {\n  EXPIRED")
    assert sandbox.tool(*GENERATE).returncode == 0

    compiled = sandbox.tool(*COMPILE)

    assert "typed/statuses.ts" in compiled.stdout
    assert "Type '\"EXPIRED\"' does not satisfy the expected type 'never'" in compiled.stdout


@pytest.mark.long
def test_no_types_are_generated_for_an_unknown_field(sandbox: NpmSandbox) -> None:
    sandbox.plant("tests/node/operations/fragments.graphql", "  sizeBytes", "  size")

    generated = sandbox.tool(*GENERATE)

    assert generated.returncode != 0
    assert 'Cannot query field "size" on type "Image"' in generated.stdout + generated.stderr


def test_relay_compiles_its_lists_refetches_mutations_and_watches(sandbox: NpmSandbox) -> None:
    compiled = sandbox.tool(*RELAY)

    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    artifacts = {file.name.partition(".")[0] for file in (sandbox.folder / "relay" / "__generated__").iterdir()}
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
    sandbox: NpmSandbox, file: str, old: str, new: str, refusal: str
) -> None:
    sandbox.plant(file, old, new)

    compiled = sandbox.tool(*RELAY)

    assert compiled.returncode != 0
    assert refusal in compiled.stdout + compiled.stderr


def test_the_schema_follows_the_rules_of_graphql_eslint(sandbox: NpmSandbox) -> None:
    linted = sandbox.node("lint.mjs", str(sandbox.root / "schema.graphql"))

    assert (linted.returncode, linted.stdout) == (0, ""), linted.stderr


def test_graphql_eslint_refuses_a_bad_type(sandbox: NpmSandbox) -> None:
    sandbox.plant("schema.graphql", "interface Node {", BAD_TYPE + "\ninterface Node {")

    linted = sandbox.node("lint.mjs", str(sandbox.root / "schema.graphql"))

    assert linted.returncode == 1, linted.stderr
    rules = {line.rpartition("/")[2].rstrip(")") for line in linted.stdout.splitlines()}
    assert {"naming-convention", "require-description", "relay-connection-types", "relay-edge-types"} <= rules
