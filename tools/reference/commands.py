"""docs/reference/petrel.md: every command with its arguments and options, read from the command line itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from petrel.cli import app
from tools.reference import text

_KINDS: Final = {"str": "TEXT", "int": "N", "float": "NUMBER", "Path": "PATH"}


def page() -> str:
    """The page as it should be."""
    root = typer.main.get_command(app)
    intro = (
        "Exit codes: 0 success; 1 a finding or a failure, in one line on stderr; 2 usage, also a file of settings that "
        "can't be used. With `--json` stdout holds machine output and nothing else. Long-running commands end cleanly "
        "on SIGTERM and Ctrl-C."
    )
    head = text.head("The command petrel", "`petrel/commands`", intro)
    found = list(commands(root, "petrel"))
    overview = text.table(
        ("command", "what it does"), [(f"[`{name}`](#{_anchor(name)})", _brief(one)) for name, one in found]
    )
    return head + "\n" + overview + "".join(_section(name, one) for name, one in found)


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:  # what typer vendors has no public type
    """Every command below a group, by its full name."""
    for key, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {key}")
        elif not command.hidden:
            yield f"{name} {key}", command


def _section(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join([name, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(f"`{_argument(one)}`", one.help or "", "") for one in arguments]
    rows += [(f"`{_option(one)}`", one.help or "", _default(one)) for one in options]
    body = "\n" + text.table(("", "meaning", "default"), rows) if rows else ""
    return f"\n## {name}\n\n{text.prose(command.help)}\n\n```text\n{usage}\n```\n{body}"


def _brief(command: Any) -> str:
    return text.prose(command.help).partition(". ")[0].removesuffix(".")


def _argument(argument: Any) -> str:
    shown = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return shown if argument.required else f"[{shown}]"


def _option(option: Any) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    return names if option.is_flag else f"{names} {option.metavar or _kind(option)}"


def _kind(option: Any) -> str:
    return _KINDS[re.sub(r"^list\[(.*)\]$", r"\1", option.bare_type())] + ("..." if option.multiple else "")


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.is_flag or option.default in (None, "", []):
        return ""
    value = option.default
    return f"`{value:g}`" if isinstance(value, float) else f"`{value.as_posix() if isinstance(value, Path) else value}`"


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
