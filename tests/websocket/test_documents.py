"""Watches keep their documents in memory, so the total size of a tenant's documents is limited."""

import pytest

from app.web.limits.watches import DOCUMENT_BYTES, WatchQuota

LARGE = "subscription { watchOffers(filter: {status: [" + "PENDING " * 2_900 + "]}) { cursor } }"
SMALL = "subscription { watchOffers { cursor } }"


@pytest.fixture
def watches() -> WatchQuota:
    return WatchQuota(5_000)


def test_different_large_documents_are_refused_before_the_limit_of_watches(watches: WatchQuota) -> None:
    begun = [watches.begin("1", f"{LARGE} # {number}") for number in range(100)]

    assert 1 <= begun.count(None) <= DOCUMENT_BYTES // (2_900 * 600)
    assert "different documents" in str(begun[-1])
    assert watches.begin("2", LARGE) is None, "other tenants notice nothing"


def test_watches_with_the_same_document_may_reach_the_limit_of_watches(watches: WatchQuota) -> None:
    assert {watches.begin("1", SMALL) for _ in range(5_000)} == {None}
    assert "5000 watches" in str(watches.begin("1", SMALL))


def test_an_ended_watch_frees_its_share_and_leaves_nothing_behind(watches: WatchQuota) -> None:
    assert watches.begin("1", SMALL) is None  # stays open, so that the tenant's entry is not dropped
    for number in range(100):
        for text in (SMALL, f"{LARGE} # {number}"):
            assert watches.begin("1", text) is None
        for text in (f"{LARGE} # {number}", SMALL):
            watches.end("1", text)

    watches.end("1", SMALL)
    assert (watches._watches.total, len(watches._texts), len(watches._weights)) == (0, 0, 0)
