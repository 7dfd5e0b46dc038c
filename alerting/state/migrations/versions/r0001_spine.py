"""Events, cursor, ticks, outbox and operations."""

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
_CHAINED: Final = ("events", "operations")
_GENESIS: Final = "0" * 64


def upgrade() -> None:
    """Create the tables, and triggers that keep the logs append-only."""
    for step in _STEPS:
        step()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(120), nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )


def _operations() -> None:
    op.create_table(
        "operations",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )


def _cursor() -> None:
    cursor = op.create_table(
        "cursor",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("commit_number", sa.BigInteger, nullable=False),
        sa.Column("events_seq", sa.Integer, nullable=False),
        sa.Column("events_sha256", sa.String(64), nullable=False),
        sa.Column("operations_seq", sa.Integer, nullable=False),
        sa.Column("operations_sha256", sa.String(64), nullable=False),
    )
    heads = {f"{name}_seq": 0 for name in _CHAINED} | {f"{name}_sha256": _GENESIS for name in _CHAINED}
    op.bulk_insert(cursor, [{"id": 1, "commit_number": 0, **heads}])


def _ticks() -> None:
    op.create_table(
        "ticks",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("after_commit", sa.BigInteger, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event_seq", sa.Integer, sa.ForeignKey("events.seq"), nullable=False),
        sa.Column("alarm_id", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at_ns", sa.BigInteger, nullable=False),
        sa.Column("deadline_ns", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("settled_ns", sa.BigInteger),
        sa.Column("receipt", sa.String(16)),
        sa.Column("note", sa.Text),
    )
    due = sa.text("state = 'queued'")
    order: list[str | sa.TextClause] = ["channel", sa.text("priority DESC"), "id"]
    op.create_index("outbox_due", "outbox", order, sqlite_where=due, postgresql_where=due)
    op.create_index("outbox_alarm", "outbox", ["alarm_id", "channel", "event_seq"])
    op.create_index("outbox_state", "outbox", ["state", "next_at_ns"])


def _append_only() -> None:
    for table in _CHAINED:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


_STEPS: Final[tuple[Callable[[], None], ...]] = (_events, _operations, _cursor, _ticks, _outbox, _append_only)
