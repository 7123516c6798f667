"""Formats the cursors and times of the gateway for both GraphQL peers in Python."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from app.model import Image, Member


def cursor(row: Image | Member) -> str:
    return coded(row.created_at, row.id)


def coded(created_at: datetime, id_: str) -> str:
    place = f"{created_at.astimezone(UTC).isoformat(timespec='microseconds')} {id_}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def end(rows: Sequence[Image] | Sequence[Member]) -> str | None:
    return cursor(rows[-1]) if rows else None


def moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
