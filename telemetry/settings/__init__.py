"""Configuration files: YAML 1.2 into frozen structs, every mistake with its file and line."""

from telemetry.settings.document import (
    Document,
    SettingsError,
    Step,
    Tree,
    load,
    load_as,
    mistakes,
    parse,
    secret,
)

__all__ = ["Document", "SettingsError", "Step", "Tree", "load", "load_as", "mistakes", "parse", "secret"]
