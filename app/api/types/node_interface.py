"""The `Node` interface: whatever has an ID."""

import strawberry


@strawberry.interface(description="An object with an ID that is unique over all types.")
class Node:
    id: strawberry.ID = strawberry.field(description="The ID, as `node(id:)` takes it.")
