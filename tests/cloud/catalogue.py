"""Many images at once, written into Glance's database: through its API ten thousand would take minutes."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from tests.cloud.cloud import Cloud

# Every third image has members; each has five properties, as those of a real cloud do.
_IMAGES = """
INSERT INTO images (id, name, size, status, created_at, updated_at, deleted, disk_format, container_format, owner,
    min_disk, min_ram, protected, visibility, os_hidden)
SELECT gen_random_uuid(), %(name)s, 1, 'active', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', false, 'raw',
    'bare', %(owner)s, 0, 0, false, 'shared', false
FROM generate_series(1, %(number)s)
"""
_MEMBERS = """
INSERT INTO image_members (image_id, member, can_share, created_at, updated_at, deleted, status)
SELECT id, %(consumer)s, false, created_at, updated_at, false, 'pending'
FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM images WHERE name = %(name)s) AS made
WHERE place %% 3 = 0
"""
_PROPERTIES = """
INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted)
SELECT id, 'property_' || number, 'value', created_at, updated_at, false
FROM images, generate_series(1, 5) AS number WHERE name = %(name)s
"""
_TABLES = ("image_members", "image_properties")


@contextmanager
def catalogue(cloud: Cloud, number: int) -> Generator[str]:
    """Images of the producer's project, until the block ends; the name that they share."""
    values = {"name": f"catalogue of {number}", "number": number, "owner": cloud.projects["producer"]}
    values["consumer"] = cloud.projects["consumer"]
    with psycopg.connect(cloud.glance_database_url, autocommit=True) as connection:
        for statement in (_IMAGES, _MEMBERS, _PROPERTIES):
            connection.execute(statement, values)
        connection.execute("ANALYZE")
        try:
            yield str(values["name"])
        finally:
            for table in _TABLES:
                query = f"DELETE FROM {table} WHERE image_id IN (SELECT id FROM images WHERE name = %(name)s)"
                connection.execute(query.encode(), values)
            connection.execute("DELETE FROM images WHERE name = %(name)s", values)
