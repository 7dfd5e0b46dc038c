"""The HTTP interface of the centre: a contract (docs/reference/http.md), and the console beside it."""

from alerting.api.app import create_app
from alerting.api.fanout import Fanout
from alerting.api.view import CentreView, StaleError, UnknownError

__all__ = ["CentreView", "Fanout", "StaleError", "UnknownError", "create_app"]
