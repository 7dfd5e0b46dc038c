"""The spool on disk: an append-only log in segments, released by the centre's acknowledgements."""

from gateway.spool.account import Limits, Loss, Stats
from gateway.spool.folder import SpoolError, holder
from gateway.spool.peek import peek
from gateway.spool.segment import Entry, Key
from gateway.spool.spool import Spool
from gateway.spool.sync import keep_synced

__all__ = ["Entry", "Key", "Limits", "Loss", "Spool", "SpoolError", "Stats", "holder", "keep_synced", "peek"]
