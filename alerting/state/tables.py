"""The tables, as the queries see them; the migrations are what makes them."""

from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

METADATA: Final = MetaData()


class Progress(StrEnum):
    """How far a delivery has come. Delivered and dead are final."""

    QUEUED = "queued"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"


EVENTS: Final = Table(
    "events",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("key", String(120), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("prev", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
"""Append-only. ``key`` is the event's own: the same transition decided twice is one line.

``body`` is the event as canonical JSON; ``sha256`` covers it and the hash before it."""

OPERATIONS: Final = Table(
    "operations",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("prev", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
"""What people did; append-only and chained like the events."""

CURSOR: Final = Table(
    "cursor",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("commit_number", BigInteger, nullable=False),
    Column("events_seq", Integer, nullable=False),
    Column("events_sha256", String(64), nullable=False),
    Column("operations_seq", Integer, nullable=False),
    Column("operations_sha256", String(64), nullable=False),
)
"""One row: the newest commit that was evaluated, and the heads of both chains, so that a cut tail is noticed."""

TICKS: Final = Table(
    "ticks",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("after_commit", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
)
"""When the engine was told the time: together with the order of commits it replays the log byte for byte."""

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("event_seq", Integer, ForeignKey("events.seq"), nullable=False),
    Column("alarm_id", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at_ns", BigInteger, nullable=False),
    Column("deadline_ns", BigInteger, nullable=False),
    Column("key", String(200), nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("settled_ns", BigInteger),
    Column("receipt", String(16)),
    Column("note", Text),
)
"""One row per event and channel; times here are real time (UTC), since receivers live in it."""
