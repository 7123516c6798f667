"""The fields that an operation selects, as a tree in terms of the store. Each part has its response key."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Leaf:
    """A column of the object, or a scalar field of a page."""

    key: str
    column: str


@dataclass(frozen=True)
class Constant:
    """A value that is known when the plan is built."""

    key: str
    word: str


@dataclass(frozen=True)
class Nested:
    """A nested object, or the edges, nodes or `pageInfo` of a page."""

    key: str
    relation: str
    parts: "Parts"


@dataclass(frozen=True)
class PagePart:
    """A page of a list of this object. `selector` is the index of its window among the operation's selectors."""

    key: str
    relation: str
    selector: int
    parts: "Parts"


@dataclass(frozen=True)
class ById:
    """An object by ID, or a list of them, with the selected parts for each kind it may have."""

    key: str
    selector: int
    is_list: bool
    parts_by_kind: tuple[tuple[str, "Parts"], ...]


@dataclass(frozen=True)
class Repeat:
    """A root field with the same value as an earlier one, whose key is `source_key`."""

    key: str
    source_key: str


Part: TypeAlias = Leaf | Constant | Nested | PagePart | ById | Repeat
Parts: TypeAlias = tuple[Part, ...]
