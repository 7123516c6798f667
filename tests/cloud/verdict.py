"""Whether what a mirror has told and holds agrees with what has really happened in Glance."""

from collections.abc import Sequence

import psycopg

from tests.cloud.cloud import Cloud
from tests.cloud.history import Key

NEVER, UNEQUAL = "after what was told before", "the views are not equal"
Event = tuple[Key, str | None, str | None]


async def in_glance(cloud: Cloud, images: Sequence[str]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    async with cloud.images("observer") as observer:
        for image_id in images:
            rows = (await observer.get(f"/images/{image_id}/members")).json()["members"]
            for row in sorted(rows, key=lambda row: row["updated_at"]):
                found[image_id, row["member_id"]] = row["status"].upper()
    return found


def mirrored(database_url: str, images: Sequence[str]) -> dict[Key, str]:
    query = "SELECT image_id, tenant_id, status FROM member WHERE image_id = ANY(%s)"
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return {(image, tenant): status for image, tenant, status in connection.execute(query, (list(images),))}


def events(database_url: str, images: Sequence[str]) -> list[Event]:
    query = (
        "SELECT image_id, tenant_id, previous_status, status FROM event "
        "WHERE kind IS NOT NULL AND image_id = ANY(%s) ORDER BY seq"
    )
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return [((row[0], row[1]), row[2], row[3]) for row in connection.execute(query, (list(images),))]


def contradictions(told: Sequence[Event], truth: dict[Key, list[set[str | None]]], there: dict[Key, str]) -> list[str]:
    """Events that do not follow from one another, from what has happened, or that do not lead to what there is."""
    last: dict[Key, str | None] = {}
    place: dict[Key, int] = {}
    found: list[str] = []
    for key, before, after in told:
        if last.get(key) != before:
            found.append(f"the chain of {key} is broken at {before} to {after}")
        last[key] = after
        later = [at for at in range(place.get(key, 0), len(truth[key])) if after in truth[key][at]]
        if not later:
            found.append(f"{key} was never {after} {NEVER}")
        place[key] = later[0] if later else place.get(key, 0)
    if {key: status for key, status in last.items() if status is not None} != there:
        found.append("the last events are not what there is")
    return found
