"""Run a long-lived coroutine as a process: the quick event loop, logs on stderr, a clean stop on SIGTERM and SIGINT."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import structlog

T = TypeVar("T")
_LEVELS: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "exception": 3, "critical": 2}
"""Of syslog (RFC 5424, 6.2.1)."""


def run(main: Coroutine[Any, Any, T]) -> T | None:
    """Run to the end, or until a signal asks for a clean stop (then None); errors of task groups are unwrapped."""
    try:
        return _runner()(_until_signalled(main))
    except BaseExceptionGroup as group:
        raise _first(group) from group


def configure_logs(path: Path | None = None, level: int = logging.INFO) -> None:
    """Structured logs, one line an event: to a file where one is named, else to stderr; colours only on a terminal.

    In the journal of systemd each line has its level, so that ``journalctl --priority warning`` finds what matters.
    """
    stream = sys.stderr if path is None else path.open("a", encoding="utf-8", buffering=1)
    in_journal = path is None and _is_journal(stream, os.environ.get("JOURNAL_STREAM", ""))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=stream.isatty()),
            *([_with_level] if in_journal else []),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _libraries_to(stream, in_journal)


def _is_journal(stream: TextIO, said: str) -> bool:
    """Whether what is written arrives in the journal: ``JOURNAL_STREAM`` is ``device:inode`` (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:
        return False
    return said == f"{found.st_dev}:{found.st_ino}"


def _with_level(_logger: Any, method: str, text: Any) -> str:
    """A line with its level as sd-daemon(3) has it."""
    return f"<{_LEVELS.get(method, 6)}>{text}"


def _libraries_to(stream: TextIO, in_journal: bool) -> None:
    """Let what libraries log stand beside our own, not on the terminal of a drill.

    The MQTT client logs a broker's answer to a question that was given up, as on a stop right after the start, with a
    traceback: it is one line here.
    """
    form = f"{'<4>' if in_journal else ''}%(asctime)s [%(levelname)s] %(name)s: %(message)s"
    logging.basicConfig(stream=stream, level=logging.WARNING, format=form, force=True)
    logging.getLogger("mqtt").addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


async def _until_signalled(main: Coroutine[Any, Any, T]) -> T | None:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task, expected to be run by an event loop")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        return await main
    return None


def _runner() -> Callable[[Coroutine[Any, Any, T]], T]:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run
    return uvloop.run


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a task group: the others are its consequences, or will be met on the next run."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
