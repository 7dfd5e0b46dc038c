"""A request to cancel that Python has made itself and never taken back.

When a task of a TaskGroup fails while its parent waits for the group to end, Python 3.11 cancels the parent to wake it
and leaves that counted. ``asyncio.timeout`` of Python 3.11.2 (Debian 12) then takes its own expiry for a wish to stop,
and raises CancelledError instead of TimeoutError: a loop that is to go on ends without a word.
"""

import asyncio


class Requests:
    """The requests to cancel that a task knew of at some moment; made in the task that it is about."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("not in a task, expected to be called in one")
        self._task, self._known = task, task.cancelling()

    def forget_newer(self) -> None:
        """Take back those that came since: call it where a failed group was handled, not a cancellation."""
        while self._task.cancelling() > self._known:
            self._task.uncancel()
