"""What an operation asks for, in the store's words: a tree of parts, each with the key that it has in the answer."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Leaf:
    """A column of the object, or a fact of the page, by the store's name for it."""

    key: str
    column: str


@dataclass(frozen=True)
class Fixed:
    """A word that is known beforehand."""

    key: str
    word: str


@dataclass(frozen=True)
class One:
    """An object that belongs to this one, or the edges and the place of a page."""

    key: str
    relation: str
    parts: "Parts"


@dataclass(frozen=True)
class Page:
    """A page of a list that belongs to this object. `place` is that of its window among those of the operation."""

    key: str
    relation: str
    place: int
    parts: "Parts"


@dataclass(frozen=True)
class ById:
    """An object by its ID, or several: what is wanted of each kind of object that it may be."""

    key: str
    place: int
    is_list: bool
    of_kind: tuple[tuple[str, "Parts"], ...]


@dataclass(frozen=True)
class Again:
    """A root field that has the value of one before it, which is read once. `of` is the key of that one."""

    key: str
    of: str


Part: TypeAlias = Leaf | Fixed | One | Page | ById | Again
Parts: TypeAlias = tuple[Part, ...]
