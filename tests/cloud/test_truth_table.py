"""The truth table of sharing, before Glance and in the gateway's own ledger: where they differ has a reason."""

from uuid import uuid4

import psycopg
import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.truth import CALLERS, QUOTA, Answers, answers
from tests.cloud.users import Front
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
_FILL = """
INSERT INTO image_members (image_id, member, can_share, created_at, updated_at, deleted, status)
SELECT %s, md5(number::text), false, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', false, 'pending'
FROM generate_series(1, %s) AS number
"""


CODES = {code[0]: code for code in ("FORBIDDEN", "NOT_FOUND", "CONFLICT", "BAD_USER_INPUT", "LIMIT_EXCEEDED")}
KEEPS_INERT = "Glance changes no members while an image is not SHARED; the ledger lets its owner remove them."
# The cells that differ before Glance, each with its answer there and the reason.
DIFFERENT = {
    ("revoke, image private", "owner"): ("FORBIDDEN", KEEPS_INERT),
    ("revoke, image private", "operator"): ("FORBIDDEN", KEEPS_INERT),
}
# fmt: off
# The answers of the ledger: F FORBIDDEN, N NOT_FOUND, C CONFLICT, B BAD_USER_INPUT, L LIMIT_EXCEEDED.
TABLE = {
    #                                   owner    observer stranger pending  accepted rejected member   operator
    "image":                            "ok       ok       null     ok       ok       ok       ok       ok",
    "images":                           "in       in       out      out      in       out      in       in",
    "offers":                           "out      out      out      in       in       in       in       out",
    "members":                          "2        2        null     1        1        1        1        2",
    "the consumer's row":               "ok       ok       null     ok       ok       ok       null     ok",
    "watch":                            "2        2        0        1        1        1        1        2",
    "offer to an unknown tenant":       "ok       F        N        F        F        F        F        F",
    "offer to a tenant that has a row": "C        F        N        F        F        F        F        F",
    "offer to oneself":                 "B        F        N        F        F        F        F        F",
    "offer of a private image":         "F        F        N        N        N        N        N        F",
    "accept":                           "F        F        N        ok       ok       ok       ok       F",
    "reject":                           "F        F        N        ok       ok       ok       ok       F",
    "defer":                            "F        F        N        ok       ok       ok       ok       F",
    "revoke":                           "ok       F        N        F        F        F        N        ok",
    "revoke, image private":            "ok       F        N        N        N        N        N        ok",
    "change":                           "ok       F        N        F        F        F        F        F",
    "offer over the quota":             "L        F        N        F        F        F        F        F",
    "delete":                           "ok       F        N        F        F        F        F        F",
}
# fmt: on


class OwnLedger:
    """A gateway that keeps the images itself."""

    ROLES = {"producer-reader": "observer", "admin": "operator"}

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        names = ("producer", "stranger", "consumer", "second", "admin")
        self._ids = {name: uuid4().hex for name in names}
        self._ids["producer-reader"] = self._ids["producer"]

    async def user(self, name: str) -> Tenant:
        return self._gateway.tenant(self._ids[name], self.ROLES.get(name, "admin"))

    async def shared_image(self) -> str:
        return await (await self.user("producer")).register(visibility="SHARED")

    async def fill(self, image_id: str) -> None:
        tenants = [uuid4().hex for _ in range(QUOTA - 2)]
        for part in (tenants[:100], tenants[100:]):
            await (await self.user("producer")).offer(image_id, *part)


class BeforeGlance(Front):
    """A gateway in front of the cloud."""

    async def shared_image(self) -> str:
        return await self.cloud.image()

    async def fill(self, image_id: str) -> None:
        with psycopg.connect(self.cloud.glance_database_url, autocommit=True) as connection:
            connection.execute(_FILL, (image_id, QUOTA - 2))


def expected() -> Answers:
    """The table, cell by cell."""
    return {
        (row, column): CODES.get(word, word)
        for row, words in TABLE.items()
        for column, word in zip(CALLERS, words.split(), strict=True)
    }


async def test_the_ledger_answers_as_the_table_says(sqlite_databases: SqliteDatabases) -> None:
    ids = {"tenant_id_pattern": "[0-9a-f]{32}", "member_quota": QUOTA}
    async with start_gateway(settings_for(sqlite_databases.fresh(), **ids)) as gateway:
        assert await answers(OwnLedger(gateway)) == expected()


async def test_before_glance_the_answers_differ_only_where_glance_forbids_more(
    cloud: Cloud, sqlite_databases: SqliteDatabases
) -> None:
    different = {cell: answer for cell, (answer, _) in DIFFERENT.items()}
    async with start_gateway(settings_before(cloud, sqlite_databases.fresh())) as gateway:
        assert await answers(BeforeGlance(cloud, gateway)) == expected() | different
