"""The hot window: what the risk engine knows of the last 48 hours, as dense arrays."""

from ingest.window.window import MINUTES, Window

__all__ = ["MINUTES", "Window"]
