"""The document cache: its memory is limited, whatever the documents, and each document is processed once."""

import gc
import tracemalloc
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from app.api.schema import build_schema
from app.documents import deadlines
from app.documents.bounded_cache import BoundedCache
from app.documents.cached_function import EVERYBODY, NOBODY, CachedFunction, Document
from app.documents.documents import Documents
from app.documents.summaries import Summaries
from app.settings import Settings

LIMIT = 4_000_000
# The accepted documents that take the most memory once parsed, and texts that cannot be parsed.
HEAVY = {
    "fields": "{ a%d" + " a" * 2_900 + " }",
    "variables": "query(" + "$a: I " * 740 + ") { a%d }",
    "comments": "{ a%d } #" + "\N{WATERMELON}" * 60_000,
    "an empty list in a list": "{ a%d(b: [" + "[]" * 1_400 + "]) }",
}


@contextmanager
def traced() -> Generator[Callable[[], int]]:
    """The bytes allocated in the block that are still held."""
    gc.collect()
    tracemalloc.start()
    yield lambda: (gc.collect(), tracemalloc.get_traced_memory()[0])[1]
    tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEAVY)
def test_the_largest_documents_stay_within_the_memory_limit(kind: str) -> None:
    parsed = CachedFunction(lambda text: deadlines.parse(text, 3_000, 60), BoundedCache(LIMIT))
    with traced() as held:
        for number in range(6):
            parsed(HEAVY[kind] % number)

        assert LIMIT / 20 < held() < LIMIT * 1.5


def test_names_of_operations_count_too() -> None:
    documents = build_schema(Settings()).documents
    documents.cache = BoundedCache(8 * LIMIT)
    descriptions = Summaries(documents)
    with traced() as held:
        for number in range(200):
            descriptions.of("{ viewer { id } }", f"{number}" + "x" * 500_000)

        assert held() < 1.2 * 8 * LIMIT


def test_a_recently_used_document_is_not_evicted_by_newer_ones() -> None:
    work_counts: list[str] = []
    remembered = _remembered(work_counts, BoundedCache(20 * 9_000))
    for number in range(100):
        remembered("known")
        remembered(f"stranger {number}")
    remembered("stranger 0")

    assert (work_counts.count("known"), work_counts.count("stranger 0")) == (1, 2)


def test_a_document_sent_by_one_tenant_is_new_for_another() -> None:
    work_counts: list[str] = []
    remembered = _remembered(work_counts, BoundedCache())
    for owner in ("1", "2", NOBODY, EVERYBODY, "1", "2"):
        _remembered_for(remembered, owner, "{ viewer { id } }")

    assert len(work_counts) == 4


def test_a_tenant_never_evicts_documents_within_anothers_fair_share() -> None:
    work_counts: list[str] = []
    remembered = _remembered(work_counts, BoundedCache(20 * 9_000))
    for owner in ("quiet", *map(str, range(4))):
        _remembered_for(remembered, owner, "first")
    for number in range(200):
        _remembered_for(remembered, "loud", f"text {number}")
        _remembered_for(remembered, NOBODY, f"text {number}")
    before = len(work_counts)
    for owner in ("quiet", *map(str, range(4))):
        _remembered_for(remembered, owner, "first")

    assert len(work_counts) == before


def test_eviction_takes_constant_time_in_the_number_of_tenants() -> None:
    looks: list[int] = []
    for tenants in (50, 5_000):
        remembered = _remembered([], BoundedCache(tenants * 9_000))
        for number in range(tenants):
            _remembered_for(remembered, CountedOwner(number), "first")
        CountedOwner.looks = 0
        for number in range(100):
            _remembered_for(remembered, CountedOwner(tenants + number), "first")
        looks.append(CountedOwner.looks)

    assert looks[1] <= 2 * looks[0]


def test_the_tenant_that_holds_most_is_evicted_from_first() -> None:
    work_counts: list[str] = []
    remembered = _remembered(work_counts, BoundedCache(20 * 9_000))
    for owner, texts in (("light", 1), ("heavy", 12), ("middling", 7)):
        for number in range(texts):
            _remembered_for(remembered, owner, f"{owner} {number}")
    _remembered_for(remembered, "late", "late 0")
    del work_counts[:]
    for owner, texts in (("light", 1), ("middling", 7), ("late", 1)):
        for number in range(texts):
            _remembered_for(remembered, owner, f"{owner} {number}")
    assert work_counts == []

    _remembered_for(remembered, "heavy", "heavy 0")
    assert work_counts == ["heavy 0"]


class CountedOwner:
    """An owner that counts how often owners are looked up."""

    looks = 0

    def __init__(self, number: int) -> None:
        self._number = number

    def __hash__(self) -> int:
        CountedOwner.looks += 1
        return hash(self._number)

    def __eq__(self, other: object) -> bool:
        return self is other


def test_a_tenant_that_fills_the_cache_is_evicted_for_later_ones() -> None:
    work_counts: list[str] = []
    remembered = _remembered(work_counts, BoundedCache(20 * 9_000))
    for number in range(100):
        _remembered_for(remembered, "loud", f"text {number}")
    for _ in range(2):
        for number in range(9):
            _remembered_for(remembered, "late", f"late {number}")

    assert len([text for text in work_counts if text.startswith("late")]) == 9


def _remembered(work_counts: list[str], memory: BoundedCache) -> CachedFunction[[], None]:
    def work(text: str) -> None:
        work_counts.append(text)

    return CachedFunction(work, memory)


def _remembered_for(remembered: CachedFunction[[], None], owner: object, text: str) -> None:
    remembered(Document(text, owner, remembered._cache))


@pytest.mark.parametrize("text", ["{ a", "{" + " a" * 4_000 + "}"], ids=["syntax", "too many tokens"])
def test_a_syntax_error_is_cached_and_reported_each_time(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    parse, times = deadlines.parse, list[str]()
    monkeypatch.setattr(deadlines, "parse", lambda text, *limits: times.append(text) or parse(text, *limits))
    documents, reported = Documents(Settings()), list[Any]()
    for look in (documents.parse, lambda text: documents.operation_type(text, None), documents.has_subscription):
        with pytest.raises(Exception, match=r"Syntax Error: Expected Name|tokens") as refused:
            look(text)
        reported.append(refused.value)

    assert len(times) == 1
    assert len({error.message for error in reported}) == 1
    assert reported[0].locations == reported[2].locations


def test_a_cached_refusal_keeps_no_reference_to_its_request() -> None:
    documents = build_schema(Settings()).documents
    refused = "mutation { updateImage(input: {id: 1, sizeBytes: -1}) { image { id } } }"

    def ask() -> tuple[list[Any], "weakref.ref[Any]"]:
        request = Request()
        found = documents.errors(refused, None, {})
        return found, weakref.ref(request)

    found, request = ask()
    gc.collect()

    assert (found[0].message, request()) == ("A ByteCount is an integer from 0 to 9007199254740991.", None)
    assert documents.errors(refused, None, {}) is found


class Request:
    """An object referenced by the caller's stack frame."""
