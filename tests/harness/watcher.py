"""A program that watches with the Python client and prints each item. Its argument is JSON."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from app.client import CursorFile, WatchEnded, watch

QUERY = """subscription($after: Cursor) { watchOffers(after: $after) {
  __typename cursor ... on MemberStatusChanged { kind status tenant { id } }
} }"""


async def main(arguments: dict[str, Any]) -> int:
    cursors = CursorFile(arguments["cursor"])
    token = Path(arguments["tokens"]).read_text
    try:
        async for data in watch(arguments["url"], QUERY, token=token, cursors=cursors):
            print(json.dumps(data["watchOffers"]), flush=True)
            if data["watchOffers"].get("tenant", {}).get("id") == arguments["until"]:
                return 0
    except WatchEnded as ended:
        print(json.dumps({"over": str(ended)}), flush=True)
    return 3


if __name__ == "__main__":
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]))))
