"""A lower bound: one route, and for each query one hand-written SQL statement that produces the JSON."""

import base64
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench import queries
from tests.bench.peers.callers import caller

PARTY = """(i.owner_id = :me OR i.visibility = 'SHARED' AND EXISTS
  (SELECT 1 FROM member r WHERE r.image_id = i.id AND r.tenant_id = :me))"""
OWNER = f"""CASE WHEN {PARTY} THEN '{{"id":"' || i.owner_id || '"}}' ELSE 'null' END"""
POINT = f"""SELECT '{{"id":"' || i.id || '","name":' || json_quote(i.name) || ',"status":"' || i.status || '"}}'
  FROM image i WHERE i.id = :id AND (i.visibility IN ('COMMUNITY', 'PUBLIC') OR {PARTY})"""
MEMBERS = """SELECT group_concat(item, ',') FROM (
  SELECT '{"node":{"id":"' || m.id || '","status":"' || m.status || '","createdAt":"' || m.created_at ||
    '","updatedAt":"' || m.updated_at || '","tenant":{"id":"' || m.tenant_id || '"}}}' AS item
  FROM member m WHERE m.image_id = i.id AND (i.owner_id = :me OR m.tenant_id = :me AND i.visibility = 'SHARED')
  ORDER BY m.created_at DESC, m.id DESC LIMIT :inner)"""
# Three access paths lead to the list, each with its own index.
WAYS = """
  SELECT * FROM (SELECT created_at, id FROM image WHERE owner_id = :me AND NOT hidden
    ORDER BY created_at DESC, id DESC LIMIT :size)
  UNION SELECT * FROM (SELECT created_at, id FROM image WHERE visibility = 'PUBLIC' AND NOT hidden
    ORDER BY created_at DESC, id DESC LIMIT :size)
  UNION SELECT * FROM (SELECT i.created_at, i.id FROM member m JOIN image i ON i.id = m.image_id
    WHERE m.tenant_id = :me AND m.status = 'ACCEPTED' AND i.visibility = 'SHARED' AND NOT i.hidden
    ORDER BY i.created_at DESC, i.id DESC LIMIT :size)"""
LIST = f"""WITH ways (created_at, id) AS ({WAYS})
SELECT i.created_at, i.id, '{{"id":"' || i.id || '","name":' || json_quote(i.name) || ',"status":"' || i.status ||
  '","visibility":"' || i.visibility || '","createdAt":"' || i.created_at || '","updatedAt":"' || i.updated_at ||
  '","owner":' || {OWNER} || ',"members":{{"edges":[' || coalesce(({MEMBERS}), '') || ']}}}}'
FROM ways JOIN image i ON i.id = ways.id ORDER BY ways.created_at DESC, ways.id DESC LIMIT :size"""
INBOX = """SELECT m.created_at, m.id, '{"id":"' || m.id || '","status":"' || m.status || '","createdAt":"' ||
  m.created_at || '","image":{"id":"' || i.id || '","name":' || json_quote(i.name) || ',"status":"' || i.status ||
  '","owner":{"id":"' || i.owner_id || '"}}}'
FROM member m JOIN image i ON i.id = m.image_id
WHERE m.tenant_id = :me AND m.status = 'PENDING' AND i.visibility = 'SHARED'
ORDER BY m.created_at DESC, m.id DESC LIMIT :size"""
Ask = Callable[[str, dict[str, Any]], str]


def routes(database: str) -> list[Route]:
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    handlers: dict[str, Ask] = {
        queries.POINT: lambda me, given: _point(connection, {"me": me, **given}),
        queries.LIST: lambda me, given: _page("images", connection, LIST, {"me": me, **given}),
        queries.INBOX: lambda me, given: _page("offers", connection, INBOX, {"me": me, **given}),
    }

    async def answer(request: Request) -> Response:
        me = caller(request.headers["authorization"])
        body = orjson.loads(await request.body())
        return Response(handlers[body["query"]](me, body["variables"]), media_type="application/json")

    return [Route("/graphql", answer, methods=["POST"])]


def _point(connection: sqlite3.Connection, given: dict[str, Any]) -> str:
    found = connection.execute(POINT, given).fetchone()
    return f'{{"data":{{"image":{found[0] if found else "null"}}}}}'


def _page(field: str, connection: sqlite3.Connection, sql: str, given: dict[str, Any]) -> str:
    first = given["first"]
    rows = connection.execute(sql, {**given, "size": first + 1}).fetchall()
    page = [(_cursor(made, id_), node) for made, id_, node in rows[:first]]
    edges = ",".join([f'{{"cursor":"{cursor}","node":{node}}}' for cursor, node in page])
    more, end = "true" if len(rows) > first else "false", f'"{page[-1][0]}"' if page else "null"
    info = f'{{"hasNextPage":{more},"endCursor":{end}}}'
    return f'{{"data":{{"{field}":{{"edges":[{edges}],"pageInfo":{info}}}}}}}'


def _cursor(created_at: str, id_: str) -> str:
    return base64.urlsafe_b64encode(f"{created_at[:-1]}+00:00 {id_}".encode()).decode().rstrip("=")


def main(database: str, port: int) -> None:
    app = Starlette(routes=routes(database))
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
